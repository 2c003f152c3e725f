"""A candidate before and after its training."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from autoloss.losses import LossSpec
from autoloss.records import TrainingReport


@dataclass(frozen=True)
class Candidate:
    """A setting to train: the loss with its hyperparameters and seed.

    Args:
        spec: The loss.
        lr: Peak learning rate of AdamW.
        weight_decay: Decoupled weight decay of AdamW.
        dropout: Dropout rate in [0, 1).
        seed: Seed of the initial weights, the order of the rows and the dropout draws. Candidates
            of one seed share all three, so that their differences are the loss's.
        epochs: Epochs after which it stops, on the schedule of the whole training run; None for
            all.
        schedule: Epochs of its schedule; None for the study's.
        fold: The number of its division of the rows, from 0.
    """

    spec: LossSpec
    lr: float
    weight_decay: float = 0.0
    dropout: float = 0.0
    seed: int = 0
    epochs: int | None = None
    schedule: int | None = None
    fold: int = 0

    def scheduled(self, max_epochs: int) -> int:
        """Return the epochs of its schedule, where the study's schedule has `max_epochs`."""
        return max_epochs if self.schedule is None else self.schedule


@dataclass(frozen=True)
class Outcome:
    """The result of training a candidate.

    Args:
        report: How the training went.
        logits: Logits of the validation rows of its division with the best weights.
        weights: The best weights, a row of the network's layout.

    Shape:
        - logits: ``(N, C)``
        - weights: ``(P,)``
    """

    report: TrainingReport
    logits: Tensor
    weights: Tensor
