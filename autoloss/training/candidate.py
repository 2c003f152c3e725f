"""A candidate before and after its training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from autoloss.losses import LossSpec
from autoloss.records import CurvePoint


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
        epochs: Epochs after which it stops, on the schedule of the whole training; None for all.
        fold: The number of its division of the rows, from 0.
    """

    spec: LossSpec
    lr: float
    weight_decay: float = 0.0
    dropout: float = 0.0
    seed: int = 0
    epochs: int | None = None
    fold: int = 0


@dataclass(frozen=True)
class Outcome:
    """The result of training a candidate.

    Args:
        state: ``"complete"``; ``"diverged"`` if logits became infinite or NaN; ``"stopped"`` if
            the time limit or the race ended the training.
        logits: Logits of the validation rows of its division with the best weights.
        weights: The best weights, a row of the network's layout.
        curve: A point per epoch.
        best_epoch: The epoch of the best weights, from 1; 0 if there is none.
        seconds: Its share of the time that its population took, in seconds.

    Shape:
        - logits: ``(N, C)``
        - weights: ``(P,)``
    """

    state: Literal["complete", "diverged", "stopped"]
    logits: Tensor
    weights: Tensor
    curve: tuple[CurvePoint, ...]
    best_epoch: int
    seconds: float
