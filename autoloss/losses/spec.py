"""The full description of a training loss, with its forms: dictionary, TOML, module, code."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor

from autoloss.core.documents import check_depth, parsed_json, parsed_toml
from autoloss.core.errors import InputError
from autoloss.core.task import TaskKind
from autoloss.core.toml import toml_text
from autoloss.losses.components import KINDS, parameters_of
from autoloss.losses.spec_check import canonical, find_mistakes
from autoloss.losses.spec_data import SpecData
from autoloss.losses.tuned import Tuned

# The methods that compute import their modules, because most of a program reads settings only.
if TYPE_CHECKING:
    from autoloss.losses.facts import ClassFacts
    from autoloss.losses.module import LossModule


@dataclass(frozen=True)
class LossSpec(SpecData):
    """A training loss: ``base × prior × target × penalty``, and the temperature of its softmax.

    Args:
        base: Name of the base loss.
        parameters: Values by dotted name, ``{"focal.gamma": 2.0}``, or pairs. They are stored as
            sorted pairs, with defaults filled in.
        prior: ``"none"`` or one of `PRIORS`.
        target: ``"none"`` or one of `TARGETS`.
        penalty: ``"none"`` or one of `PENALTIES`.
        temperature: Divisor of the logits in training.
        tuned: Results of a search, for `source`; they do not count for equality.

    Raises:
        InputError: If a name or value is unknown or not allowed; the message has a line for each
            mistake.

    Examples:
        >>> LossSpec("focal", {"focal.gamma": 3.0}).parameters
        (('focal.gamma', 3.0),)
    """

    @classmethod
    def default(cls, base: str) -> LossSpec:
        """Return a base with the parameters of the literature."""
        return cls(base)

    @classmethod
    def of(cls, data: SpecData) -> LossSpec:
        """Return data as a `LossSpec`; a `LossSpec` is returned as it is."""
        return data if isinstance(data, LossSpec) else cls(**vars(data))

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any]) -> LossSpec:
        """Return the loss of dotted keys; missing keys have their defaults.

        Raises:
            InputError: If a key is unknown, a value is not allowed, or a key belongs to a
                component that is not chosen; the message has a line for each mistake.

        Examples:
            >>> settings = {"base": "focal", "focal.gamma": 2.5, "target": "smoothing"}
            >>> LossSpec.from_dict(settings).to_dict()
            {'base': 'focal', 'focal.gamma': 2.5, 'target': 'smoothing', 'smoothing.epsilon': 0.05}
        """
        settings = canonical(settings)
        mistakes = find_mistakes(settings)
        if mistakes:
            raise InputError("\n".join(mistakes))
        fields = {"base", *KINDS, "temperature"}
        pairs = tuple((key, value) for key, value in settings.items() if key not in fields)
        return cls(parameters=pairs, **{key: settings[key] for key in fields & set(settings)})

    def without(self, kind: str) -> LossSpec:
        """Return the loss without one of its components and the parameters of that component.

        Args:
            kind: ``"prior"``, ``"target"`` or ``"penalty"``.

        Examples:
            >>> spec = LossSpec.from_dict({"base": "focal", "target": "smoothing"})
            >>> spec.without("target").to_dict()
            {'base': 'focal', 'focal.gamma': 2.0}
        """
        owned = set(parameters_of(getattr(self, kind)))
        kept = tuple((key, value) for key, value in self.parameters if key not in owned)
        names = {**self._components, kind: "none"}
        return LossSpec(
            self.base,
            kept,
            prior=names["prior"],
            target=names["target"],
            penalty=names["penalty"],
            temperature=self.temperature,
        )

    @classmethod
    def from_toml(cls, text: str) -> LossSpec:
        """Return the loss of a TOML text with the keys of `from_dict`.

        Raises:
            InputError: If the text is not TOML, or `from_dict` refuses its keys.
        """
        try:
            nested = parsed_toml(text)
        except ValueError as error:
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
        return toml_text(self.to_dict())

    @classmethod
    def from_json(cls, text: str) -> LossSpec:
        """Return the loss of a JSON text with the keys of `from_dict`.

        Raises:
            InputError: If the text is not a JSON object, or `from_dict` refuses its keys.
        """
        try:
            settings = parsed_json(text)
            check_depth(settings)
        except ValueError as error:
            raise InputError(f"a loss must be valid JSON, but got: {error}.") from None
        if not isinstance(settings, dict):
            raise InputError(f"a loss must be a JSON object, but got: {text.strip()[:40]}.")
        return cls.from_dict(_flat(settings))

    def to_json(self) -> str:
        """Return JSON text that `from_json` reads.

        Examples:
            >>> LossSpec("poly1").to_json()
            '{"base": "poly1", "poly1.epsilon": 1.0}'
        """
        return json.dumps(self.to_dict())

    def module(
        self,
        class_counts: Sequence[int] | Tensor | ClassFacts | None = None,
        *,
        task: TaskKind = "multiclass",
        class_weights: Sequence[float] | Tensor | None = None,
        class_similarity: Any = None,
    ) -> LossModule:
        """Return a module whose ``module(logits, targets)`` is the mean loss of a batch.

        Args:
            class_counts: Training rows of each class ``(C,)``, or without and with each label
                ``(L, 2)``; only a prior needs them.
            task: The kind of label.
            class_weights: Weights for ``prior="given_weights"``, ``(C,)``.
            class_similarity: For ``target="similarity_smoothing"``, a row for each class,
                ``(C, C)``.

        Raises:
            InputError: If the loss has no form for the task, or lacks a value that it needs.
        """
        from autoloss.losses.module import LossModule

        return LossModule(
            self,
            class_counts,
            task=task,
            class_weights=class_weights,
            class_similarity=class_similarity,
        )

    def source(
        self,
        class_counts: Sequence[int] | Tensor | None = None,
        *,
        task: TaskKind = "multiclass",
        class_weights: Sequence[float] | Tensor | None = None,
        class_similarity: Any = None,
        tuned: Tuned | None = None,
    ) -> str:
        """Return the loss as Python code to paste into a project; it imports torch alone.

        The code has a class `Loss` with the mean loss of a batch, its probabilities and the fit of
        their temperature, and the learning rate and weight decay of a search.

        Args:
            class_counts: See `module`; by default the value of the search.
            task: See `module`.
            class_weights: See `module`; by default the value of the search.
            class_similarity: See `module`; by default the value of the search.
            tuned: Settings and read-out for the code; by default the search's.

        Raises:
            InputError: If the loss has no form for the task, lacks a value that it needs, or uses
                more than torch and the standard library.

        Examples:
            >>> code = LossSpec("focal").source()
            >>> "autoloss" in [line for line in code.splitlines() if line.startswith("import")]
            False
        """
        from autoloss.losses.source import loss_source

        return loss_source(
            self,
            class_counts,
            task=task,
            class_weights=class_weights,
            class_similarity=class_similarity,
            tuned=self.tuned if tuned is None else tuned,
        )


def _flat(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested tables as dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
