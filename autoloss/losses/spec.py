"""The full description of a training loss: as a dictionary, as TOML and as a module."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor

from autoloss.errors import InputError
from autoloss.losses.parts import KINDS, TEMPERATURE, parameters_of
from autoloss.losses.registry import get
from autoloss.losses.spec_check import find_mistakes

if TYPE_CHECKING:
    from autoloss.losses.module import LossModule


@dataclass(frozen=True)
class LossSpec:
    """A training loss: ``base × prior × target × penalty``, and the temperature of its softmax.

    Args:
        base: Name of the base loss.
        parameters: Values by dotted name, ``{"focal.gamma": 2.0}`` or pairs; defaults are filled
            in, and they are kept as sorted pairs.
        prior: ``"none"``, ``"class_weight"`` or ``"logit_adjust"``.
        target: ``"none"`` or ``"smoothing"``.
        penalty: ``"none"``.
        temperature: What the logits are divided by in training.

    Raises:
        InputError: If something is unknown or not allowed, with all mistakes, one a line.

    Examples:
        >>> LossSpec("focal", {"focal.gamma": 3.0}).parameters
        (('focal.gamma', 3.0),)
    """

    base: str = "cross_entropy"
    parameters: tuple[tuple[str, float], ...] = ()
    prior: str = "none"
    target: str = "none"
    penalty: str = "none"
    temperature: float = TEMPERATURE.default

    def __post_init__(self) -> None:
        settings: dict[str, Any] = {
            **self._parts,
            "temperature": self.temperature,
            **dict(self.parameters),
        }
        mistakes = find_mistakes(settings)
        if mistakes:
            raise InputError("\n".join(mistakes))
        values = tuple(
            (key, declared.clean(settings.get(key, declared.default)))
            for owner in self._parts.values()
            for key, declared in sorted(parameters_of(owner).items())
        )
        object.__setattr__(self, "parameters", values)
        object.__setattr__(self, "temperature", float(self.temperature))

    @classmethod
    def default(cls, base: str) -> LossSpec:
        """Return the setting of the literature for a base."""
        return cls(base)

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any]) -> LossSpec:
        """Return the loss of dotted keys; what is left out has its default.

        Raises:
            InputError: If a key is unknown, a value is not allowed, or a key belongs to a part
                that is not chosen; all mistakes, one a line.

        Examples:
            >>> settings = {"base": "focal", "focal.gamma": 2.5, "target": "smoothing"}
            >>> LossSpec.from_dict(settings).to_dict()
            {'base': 'focal', 'focal.gamma': 2.5, 'target': 'smoothing', 'smoothing.epsilon': 0.05}
        """
        mistakes = find_mistakes(settings)
        if mistakes:
            raise InputError("\n".join(mistakes))
        fields = {"base", *KINDS, "temperature"}
        pairs = tuple((key, value) for key, value in settings.items() if key not in fields)
        return cls(parameters=pairs, **{key: settings[key] for key in fields & set(settings)})

    def to_dict(self) -> dict[str, Any]:
        """Return dotted keys; parts that do nothing are left out."""
        settings: dict[str, Any] = {}
        for kind, name in self._parts.items():
            if name != "none":
                settings[kind] = name
                settings |= {key: self[key] for key in parameters_of(name)}
        if self.temperature != TEMPERATURE.default:
            settings["temperature"] = self.temperature
        return settings

    @classmethod
    def from_toml(cls, text: str) -> LossSpec:
        """Return the loss of a TOML text with the keys of `from_dict`.

        Raises:
            InputError: If the text is no TOML, or for what `from_dict` raises.
        """
        try:
            nested = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise InputError(f"a loss must be valid TOML, but got: {error}.") from None
        return cls.from_dict(_flat(nested))

    def to_toml(self) -> str:
        """Return TOML text that `from_toml` reads.

        Examples:
            >>> print(LossSpec("poly1").to_toml())
            base = "poly1"
            poly1.epsilon = 1.0
            <BLANKLINE>
        """
        lines = (
            f'{key} = "{value}"' if isinstance(value, str) else f"{key} = {value!r}"
            for key, value in self.to_dict().items()
        )
        return "\n".join(lines) + "\n"

    def __getitem__(self, key: str) -> float:
        return dict(self.parameters)[key]

    def get(self, key: str, default: float) -> float:
        """Return the value of a dotted key, `default` where the loss has no such parameter."""
        return dict(self.parameters).get(key, default)

    @property
    def base_parameters(self) -> dict[str, float]:
        """Return the parameters of the base under their own names."""
        return {name: self[f"{self.base}.{name}"] for name in get(self.base).parameters}

    @property
    def n_non_default(self) -> int:
        """Return how many settings differ from those of the plain base."""
        defaults = {
            key: declared.default
            for owner in self._parts.values()
            for key, declared in parameters_of(owner).items()
        }
        parts = sum(name != "none" for kind, name in self._parts.items() if kind != "base")
        moved = sum(value != defaults[key] for key, value in self.parameters)
        return parts + moved + (self.temperature != TEMPERATURE.default)

    @property
    def complexity(self) -> tuple[int, int]:
        """Return what decides between equals, the smaller the simpler.

        First 0 for cross-entropy, 1 for a proper loss, 2 for one with an exact link, 3 for any
        other; then `n_non_default`.
        """
        loss = get(self.base)
        rank = 0 if self.base == "cross_entropy" else 1 if loss.proper else 2 if loss.link else 3
        return rank, self.n_non_default

    def gradient_scale(self, n_classes: int) -> float:
        """Return the gradient at equal logits in cross-entropy's units, to centre a rate."""
        return get(self.base).gradient_scale(n_classes, **self.base_parameters) / self.temperature

    def module(self, class_counts: Sequence[int] | Tensor | None = None) -> LossModule:
        """Return a module whose ``module(logits, targets)`` is the mean loss of a batch.

        Args:
            class_counts: Training rows of each class ``(C,)``; only a prior needs them.

        Raises:
            InputError: If the loss has a prior and `class_counts` is None.
        """
        from autoloss.losses.module import LossModule

        return LossModule(self, class_counts)

    @property
    def _parts(self) -> dict[str, str]:
        """Return the name of the base, prior, target and penalty by kind."""
        return {"base": self.base, **{kind: getattr(self, kind) for kind in KINDS}}


def _flat(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested tables as dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
