"""The check of the settings of a loss, which finds all mistakes at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from autoloss.core.errors import closest
from autoloss.losses.components import KINDS, TEMPERATURE, all_parameters, parameters_of
from autoloss.losses.parameters import Parameter
from autoloss.losses.registry import discover, names


def find_mistakes(settings: Mapping[str, Any]) -> list[str]:
    """Return the mistakes in the settings of a loss, a line for each.

    Args:
        settings: Dotted keys, as for `LossSpec.from_dict`.

    Examples:
        >>> for line in find_mistakes({"base": "focal", "focal.gama": 2.0, "temperature": 0}):
        ...     print(line)
        unknown key 'focal.gama', did you mean 'focal.gamma'?
        temperature must be in (0, inf), but got temperature=0.
    """
    mistakes: list[str] = []
    active: dict[str, Parameter] = {"temperature": TEMPERATURE}
    known: dict[str, tuple[str, ...]] = {"base": names()}
    known |= {kind: ("none", *choices) for kind, choices in KINDS.items()}
    for kind, choices in known.items():
        chosen = settings.get(kind, "cross_entropy" if kind == "base" else "none")
        if chosen in choices:
            active |= parameters_of(chosen)
        else:
            near = closest(str(chosen), choices)
            mistakes.append(f"{kind} must be a known {kind}, but got {kind}={chosen!r:.80}{near}")
    every = all_parameters()
    for key, value in settings.items():
        if key in active:
            mistake = active[key].mistake(key, value)
            mistakes += [mistake] if mistake else []
        elif key in every:
            mistakes.append(_without_effect(key, known))
        elif key not in known:
            mistakes.append(
                f"unknown key {key!r:.80}{closest(key, _likely(key, known, active, every))}"
            )
    return mistakes


def canonical(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a loss with names in place of aliases.

    Examples:
        >>> canonical({"base": "focal", "prior": "balanced_softmax"})
        {'base': 'focal', 'prior': 'logit_adjust', 'logit_adjust.tau': 1.0}
    """
    found = dict(settings)
    for loss in discover().values():
        for alias in loss.aliases:
            if found.get("base") == alias:
                found["base"] = loss.name
            found = {
                f"{loss.name}.{key.removeprefix(f'{alias}.')}"
                if key.startswith(f"{alias}.")
                else key: value
                for key, value in found.items()
            }
    for kind, components in KINDS.items():
        for component in components.values():
            for alias, meaning in (component.aliases or {}).items():
                if found.get(kind) == alias:
                    found |= {kind: component.name, **meaning}
    return found


def _without_effect(key: str, known: Mapping[str, tuple[str, ...]]) -> str:
    """Return the line for a parameter of a component that was not chosen."""
    owner = key.partition(".")[0]
    kind = next(kind for kind, choices in known.items() if owner in choices)
    return f"{key:.80} must stand beside {kind}={owner!r:.80}, but got another {kind}."


def _likely(key: str, *known: Iterable[str]) -> set[str]:
    """Return the likely keys: the keys of the same owner, or all keys if there are none."""
    keys = {name for some in known for name in some}
    owner = key.partition(".")[0] + "."
    return {name for name in keys if name.startswith(owner)} or keys
