"""What a written loss has: its parts, their settings, and the numbers that come of the classes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import torch
from torch import Tensor

from autoloss.losses.facts import ClassFacts
from autoloss.losses.loss import Loss
from autoloss.losses.part import Penalty
from autoloss.losses.parts import PENALTIES
from autoloss.losses.priors import STARTS, PriorTerms
from autoloss.losses.readable import ReadoutKind, readout_of
from autoloss.losses.registry import get
from autoloss.losses.spec import LossSpec
from autoloss.losses.targets import Spread
from autoloss.losses.tuned import Tuned
from autoloss.task import TaskKind

# What remains of a neutral prior after rounding in float64.
_NOTHING = 1e-12
# How many classes are taken where nothing says it, for what is the same for any number of them.
_SOME = 3


@dataclass(frozen=True, eq=False)
class SourceFacts:
    """What a written loss has.

    Args:
        spec: The loss.
        classes: What is known of the classes; where nothing is, some that stand for any.
        task: The kind of label.
        tuned: How the loss was trained and read; None where it was not searched.
    """

    spec: LossSpec
    classes: ClassFacts
    task: TaskKind
    tuned: Tuned | None

    @classmethod
    def of(
        cls,
        spec: LossSpec,
        class_counts: Any,
        *,
        task: TaskKind,
        class_weights: Any,
        class_similarity: Any,
        tuned: Tuned | None,
    ) -> SourceFacts:
        """Return what a loss has; what is not given is that of `tuned`.

        Raises:
            InputError: If the loss has no form for the task, or lacks something that it needs.
        """
        if tuned is not None:
            class_counts = tuned.class_counts if class_counts is None else class_counts
            class_weights = tuned.class_weights if class_weights is None else class_weights
            if class_similarity is None:
                class_similarity = tuned.class_similarity
        if task == "multiclass" and class_counts is not None and len(class_counts) == 2:
            task = "binary"
        module = spec.module(
            class_counts, task=task, class_weights=class_weights, class_similarity=class_similarity
        )
        known = module.facts
        if known is None:
            similarity = None if class_similarity is None else torch.as_tensor(class_similarity)
            n_classes = 2 if task == "binary" else _SOME
            counts = torch.ones(n_classes if similarity is None else len(similarity))
            if task == "multilabel":
                counts = torch.ones(1, 2)
            known = ClassFacts(counts, task=task, similarity=similarity)
        # What is needed and not given is told by those who need it.
        Spread.of([spec], known, dtype=torch.float64, device=torch.device("cpu"))
        PriorTerms.of([spec], known)
        return cls(spec, known, task, tuned)

    @property
    def loss(self) -> Loss:
        """Return the base."""
        return get(self.spec.base)

    @property
    def penalty(self) -> Penalty | None:
        """Return the penalty, None for none."""
        return None if self.spec.penalty == "none" else PENALTIES[self.spec.penalty]

    @cached_property
    def class_weights(self) -> Tensor | None:
        """Return the weights of the classes, None where all are 1."""
        log_weights = self._terms.log_weights[0]
        return log_weights.exp() if bool((log_weights.abs() > _NOTHING).any()) else None

    @property
    def start(self) -> float:
        """Return from which share of the training on they count."""
        if self.class_weights is None:
            return 0.0
        return max(self.spec.get(key, 0.0) for key in STARTS)

    @cached_property
    def scale(self) -> Tensor | None:
        """Return what the classes of the softmax are multiplied with, None where all are alike."""
        scale = self._terms.scale[0] / self.spec.temperature
        alike = (scale - 1.0 / self.spec.temperature).abs() <= _NOTHING
        return None if bool(alike.all()) else scale

    @cached_property
    def shift(self) -> Tensor | None:
        """Return what is then added to them, None for nothing."""
        shift = self._terms.shift[0]
        return shift if bool((shift.abs() > _NOTHING).any()) else None

    @property
    def epsilon(self) -> float:
        """Return which share of a label is spread over the classes."""
        even = self.spec.get("smoothing.epsilon", 0.0)
        return even or self.spec.get("similarity_smoothing.epsilon", 0.0)

    @property
    def spread(self) -> Literal["even", "similar"] | None:
        """Return how labels are spread over the classes."""
        if not self.epsilon:
            return None
        return "even" if self.spec.target == "smoothing" else "similar"

    @property
    def kind(self) -> ReadoutKind:
        """Return how the posterior can be read."""
        return readout_of(self.spec, self.classes.n_classes)

    @property
    def read(self) -> Literal["softmax", "prior", "link"]:
        """Return what becomes probabilities."""
        if self.tuned is None or self.tuned.readout is None:
            return "prior" if self.kind == "none" else "link"
        if self.tuned.readout == "link" and self.kind == "none":
            return "softmax"
        return self.tuned.readout

    @property
    def is_pushed(self) -> bool:
        """Return whether the penalty moves the minimum, and is undone by its slope."""
        return self.penalty is not None and self.penalty.readable == "slope"

    def parameters(self, owner: Loss | Penalty) -> dict[str, float]:
        """Return the parameters of the base or of the penalty, without its weight."""
        return {
            name: float(self.spec[f"{owner.name}.{name}"])
            for name in owner.parameters
            if isinstance(owner, Loss) or name != "weight"
        }

    @cached_property
    def _terms(self) -> PriorTerms:
        return PriorTerms.of([self.spec], self.classes)
