"""The loss of a diagnosis: read from text, without the parts that need more than logits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autoloss.core.errors import InputError
from autoloss.losses import PENALTIES, PRIORS, TARGETS, LossSpec, get
from autoloss.records import loss_label

_KNOWN = ("class_counts", "progress")
_PARTS = {"prior": PRIORS, "target": TARGETS, "penalty": PENALTIES}


def loss_of(text: str | LossSpec | Mapping[str, Any]) -> LossSpec:
    """Return the loss of a text, of dotted keys, or the `LossSpec` itself.

    Args:
        text: ``"focal"``, ``"focal gamma=3"`` or ``"focal gamma=3 + class_weight power=0.5"``, the
            form of reports; the keys of `LossSpec.from_dict`; or a `LossSpec`.

    Raises:
        InputError: If the loss is unknown, or a setting is not allowed.

    Examples:
        >>> loss_of("focal gamma=3").to_dict()
        {'base': 'focal', 'focal.gamma': 3.0}
    """
    if isinstance(text, LossSpec):
        return text
    if isinstance(text, Mapping):
        return LossSpec.from_dict(text)
    settings: dict[str, Any] = {}
    for place, part in enumerate(text.split(" + ")):
        words = part.split()
        if not words:
            raise InputError(f"loss must name a loss, as in 'focal gamma=3', but got {text!r}.")
        name, own = words[0], words[1:]
        if name.startswith("temperature="):
            name, own = "", words
        elif place == 0:
            name = get(name).name
            settings["base"] = name
        else:
            kind = next((kind for kind, parts in _PARTS.items() if name in parts), None)
            if kind is None:
                known = ", ".join([*PRIORS, *TARGETS, *PENALTIES])
                raise InputError(
                    f"loss must have known parts after +, but got {name!r}: choose among {known}."
                )
            settings[kind] = name
        for word in own:
            key, _, value = word.partition("=")
            settings[f"{name}.{key}" if name else key] = _number(key, value, text)
    return LossSpec.from_dict(settings)


def label_of(spec: LossSpec) -> str:
    """Return the label of a loss in reports, such as ``focal gamma=2``.

    Examples:
        >>> label_of(LossSpec("focal"))
        'focal gamma=2'
    """
    return loss_label(spec.to_dict())


def determined_part(spec: LossSpec) -> tuple[LossSpec, tuple[str, ...]]:
    """Return a loss without the parts that need more than logits and labels, and their names.

    A penalty is a statistic of a batch or does not depend on the label; the inputs of mixup and
    the teacher of distillation are not in the file.

    Raises:
        InputError: If the base itself needs more than the file has.
    """
    base = get(spec.base)
    needs = [one for one in base.needs if one not in _KNOWN]
    if needs or base.head != "linear":
        what = " and ".join(one.replace("_", " ") for one in needs) or "cosines"
        raise InputError(
            f"loss must have a gradient that logits and labels determine, but "
            f"{spec.base} reads {what}: choose another with --loss or loss=."
        )
    dropped = []
    if spec.mixture or spec.target in ("distillation", "similarity_smoothing"):
        dropped.append(spec.target)
        spec = spec.without("target")
    if spec.penalty != "none":
        dropped.append(spec.penalty)
        spec = spec.without("penalty")
    if spec.prior == "given_weights":
        dropped.append(spec.prior)
        spec = spec.without("prior")
    return spec, tuple(dropped)


def _number(key: str, value: str, text: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise InputError(
            f"loss must have settings such as gamma=3, but got {key}={value} in {text!r}."
        ) from None
