"""A trial as a training loop sees it: a loss and the settings to train it with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Self

from torch import Tensor

from autoloss.core.display import Card, Shown, figures
from autoloss.losses import ClassFacts, LossContext, LossSpec
from autoloss.losses.module import LossModule
from autoloss.records import loss_label
from autoloss.search.config import StudyConfig
from autoloss.search.trial_facts import Asked

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial


@dataclass(frozen=True, repr=False)
class Trial(Shown):
    """One setting to train, from `Study.ask`.

    Args:
        number: Its number in the study.
        spec: The loss.
        nuisance: Settings besides the loss: ``"lr"`` (peak learning rate of AdamW),
            ``"weight_decay"`` (decoupled), ``"dropout"`` (rate in [0, 1)).
        seed: Seed of its training. All trials of a study share it, so that their differences are
            the loss's.
        facts: Facts on the classes for the losses.
        origin: The reason that it was asked: ``"default"``, ``"quota"`` or ``"sampler"``.
        slot: Its place in the study, from 0; a lost trial that is asked again keeps its place.
        wave: The place after the last trial that was asked with it.
    """

    number: int
    spec: LossSpec
    nuisance: Mapping[str, float]
    seed: int
    facts: ClassFacts = field(repr=False, compare=False)
    origin: str = "sampler"
    slot: int = 0
    wave: int = 0

    def _card(self) -> Card:
        loss = loss_label(self.spec.to_dict())
        pairs = (("loss", loss), ("settings", figures(self.nuisance.items())))
        return Card(f"Trial {self.number}, {self.origin}", pairs)

    @classmethod
    def of(cls, written: FrozenTrial, config: StudyConfig) -> Self:
        """Return a trial as it was stored when it was asked."""
        asked = Asked.of(written)
        return cls(
            number=written.number,
            spec=asked.spec,
            nuisance=asked.nuisance,
            seed=config.seed,
            facts=config.search_facts,
            origin=asked.origin,
            slot=asked.slot,
            wave=asked.batch_end,
        )

    @property
    def lr(self) -> float:
        """Return the peak learning rate."""
        return self.nuisance["lr"]

    @property
    def weight_decay(self) -> float:
        """Return the weight decay."""
        return self.nuisance["weight_decay"]

    @property
    def dropout(self) -> float:
        """Return the dropout rate."""
        return self.nuisance["dropout"]

    @cached_property
    def module(self) -> LossModule:
        """Return the loss as a module."""
        return self.spec.module(self.facts)

    def mix(self, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the inputs and labels of a batch, mixed if the loss mixes them.

        For a loop that provides ``"mixup"`` or ``"cutmix"``; see `LossModule.mix`.
        """
        return self.module.mix(inputs, targets)

    @property
    def class_counts(self) -> tuple[float, ...]:
        """Return the training rows of each class."""
        return tuple(self.facts.counts.tolist())

    def loss(
        self,
        logits: Tensor,
        targets: Tensor,
        *,
        weights: Tensor | None = None,
        context: LossContext | None = None,
    ) -> Tensor:
        """Return the mean loss of a batch, to call ``backward()`` on.

        Args:
            logits: Raw scores.
            targets: Classes or class probabilities; a class below 0 is missing and left out.
            weights: Weights of the examples; (B,).
            context: Further inputs of the loss, which ``trial.spec.needs`` names.

        Shape:
            logits (B, C), targets (B,) classes or (B, C) class probabilities -> a scalar.
        """
        value: Tensor = self.module(logits, targets, weights=weights, context=context)
        return value
