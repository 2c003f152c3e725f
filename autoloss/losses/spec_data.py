"""The data of a training loss: its components and parameters, checked; the base of `LossSpec`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from autoloss.core.errors import InputError
from autoloss.core.task import TaskKind
from autoloss.losses.components import (
    KINDS,
    MIXTURES,
    PENALTIES,
    TEMPERATURE,
    WEIGHTS,
    parameters_of,
)
from autoloss.losses.context import LossContext
from autoloss.losses.from_gradients import MOST_CLASSES, by_gradient
from autoloss.losses.registry import get, is_proper_at
from autoloss.losses.spec_check import canonical, find_mistakes
from autoloss.losses.tuned import Tuned

ReadoutKind = Literal["closed", "slopes", "none"]
"""How the posterior is read: by a formula, from the slopes of the loss, or not at all. The slopes
cost a factorisation of a matrix (C, C) for every example."""


@dataclass(frozen=True)
class SpecData:
    """The components of a training loss and their parameters; `LossSpec` describes the fields."""

    base: str = "cross_entropy"
    parameters: tuple[tuple[str, float], ...] = ()
    prior: str = "none"
    target: str = "none"
    penalty: str = "none"
    temperature: float = TEMPERATURE.default
    tuned: Tuned | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        settings = canonical(
            {**self._components, "temperature": self.temperature, **dict(self.parameters)}
        )
        mistakes = find_mistakes(settings)
        if mistakes:
            raise InputError("\n".join(mistakes))
        for kind in self._components:
            object.__setattr__(self, kind, settings[kind])
        values = tuple(
            (key, declared.clean(settings.get(key, declared.default)))
            for owner in self._components.values()
            for key, declared in sorted(parameters_of(owner).items())
        )
        object.__setattr__(self, "parameters", values)
        object.__setattr__(self, "temperature", float(self.temperature))

    def to_dict(self) -> dict[str, Any]:
        """Return the settings by dotted key, without components that are ``"none"``."""
        settings: dict[str, Any] = {}
        for kind, name in self._components.items():
            if name != "none":
                settings[kind] = name
                settings |= {
                    key: self[key]
                    for key, declared in parameters_of(name).items()
                    if declared.searched or self[key] != declared.default
                }
        if self.temperature != TEMPERATURE.default:
            settings["temperature"] = self.temperature
        return settings

    def __getitem__(self, key: str) -> float:
        return dict(self.parameters)[key]

    def get(self, key: str, default: float) -> float:
        """Return the value of a dotted key; `default` if the loss has no such parameter."""
        return dict(self.parameters).get(key, default)

    @property
    def base_parameters(self) -> dict[str, float]:
        """Return the parameters of the base under their own names."""
        return {name: self[f"{self.base}.{name}"] for name in get(self.base).parameters}

    @property
    def n_non_default(self) -> int:
        """Return the number of settings that differ from the plain base."""
        defaults = {
            key: declared.default
            for owner in self._components.values()
            for key, declared in parameters_of(owner).items()
        }
        components = sum(
            name != "none" for kind, name in self._components.items() if kind != "base"
        )
        moved = sum(value != defaults[key] for key, value in self.parameters)
        return components + moved + (self.temperature != TEMPERATURE.default)

    @property
    def complexity(self) -> tuple[int, int]:
        """Return the complexity, which decides between equal losses for the smaller.

        It is 0 for cross-entropy, 1 for a proper loss, 2 for a loss with an exact link, 3 for any
        other; then `n_non_default`.
        """
        loss = get(self.base)
        rank = 0 if self.base == "cross_entropy" else 1 if loss.proper else 2 if loss.link else 3
        return rank, self.n_non_default

    @property
    def mixture(self) -> str:
        """Return the target if it mixes examples, else an empty string."""
        return self.target if self.target in MIXTURES else ""

    @property
    def reads_by_softmax(self) -> bool:
        """Return whether ``softmax(logits)`` is the posterior at the minimum without a prior."""
        is_plain = self.target == self.penalty == "none" and self.temperature == 1.0
        return is_plain and is_proper_at(get(self.base), self.base_parameters)

    def readout_kind(self, n_classes: int) -> ReadoutKind:
        """Return how the posterior is read from logits at the minimum of the expected loss.

        Examples:
            >>> SpecData("focal").readout_kind(10), SpecData("mae").readout_kind(10)
            ('closed', 'none')
            >>> SpecData("brier", penalty="confidence").readout_kind(10)
            'slopes'
        """
        loss = get(self.base)
        # Mixed inputs and a teacher move the minimum in a way that the loss does not know.
        if not loss.has_exact_readout or self.mixture or self.target == "distillation":
            return "none"
        readable = "kept" if self.penalty == "none" else PENALTIES[self.penalty].readable
        if readable == "lost":
            return "none"
        if self.penalty != "none" and readable == "kept":
            # Such a penalty is least where softmax gives the posterior. The base must be, too.
            is_weighted = self.prior in WEIGHTS
            at_softmax = is_proper_at(loss, self.base_parameters) and not is_weighted
            return "closed" if at_softmax and self.target == "none" else "none"
        if loss.local or (readable == "kept" and loss.link is not by_gradient):
            return "closed"
        return "slopes" if n_classes <= MOST_CLASSES else "none"

    @property
    def needs(self) -> tuple[str, ...]:
        """Return the requirements of the loss beyond logits and targets; see `Component.needs`."""
        found = list(get(self.base).needs)
        for kind, name in self._components.items():
            if kind != "base" and name != "none":
                found += KINDS[kind][name].needs
        if any(self.get(key, 0.0) for key in ("class_weight.start", "effective_number.start")):
            found.append("progress")
        return tuple(dict.fromkeys(found))

    def check_task(self, task: TaskKind) -> None:
        """Check that every component of the loss has a form for a kind of label.

        Raises:
            InputError: If a component has no form for it; the message has the kinds that it fits.
        """
        for name, tasks in self._tasks():
            if task not in tasks:
                raise InputError(
                    f"{name} must be used for {' or '.join(tasks)} labels, but got task={task!r}."
                )

    def fits(self, task: TaskKind) -> bool:
        """Return whether every component of the loss has a form for a kind of label."""
        return all(task in tasks for _, tasks in self._tasks())

    def _tasks(self) -> list[tuple[str, tuple[TaskKind, ...]]]:
        """Return every component of the loss with the kinds of label that it fits."""
        components = [
            (name, KINDS[kind][name].tasks)
            for kind, name in self._components.items()
            if kind != "base" and name != "none"
        ]
        return [(self.base, get(self.base).tasks), *components]

    def gradient_scale(self, n_classes: int, *, context: LossContext | None = None) -> float:
        """Return the gradient at equal logits in units of cross-entropy, to centre a rate."""
        scale = get(self.base).gradient_scale(n_classes, context=context, **self.base_parameters)
        return scale / self.temperature

    @property
    def _components(self) -> dict[str, str]:
        """Return the name of the base, prior, target and penalty by kind."""
        return {"base": self.base, **{kind: getattr(self, kind) for kind in KINDS}}
