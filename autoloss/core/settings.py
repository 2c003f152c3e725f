"""The constants of a search space, network and training: set in its TOML file, never searched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Precision = Literal["auto", "float32", "bfloat16"]


@dataclass(frozen=True)
class NetworkConfig:
    """The default network for tables.

    Args:
        width: Units of a hidden layer.
        depth: Hidden layers.
        bins: Bins of the piecewise-linear embedding of a numeric column, at most; 0 for none.
        embedding: Width of the embedding of a categorical column that is too wide for one-hot.
        normalise: Whether hidden layers are normalised.
    """

    width: int = 192
    depth: int = 2
    bins: int = 48
    embedding: int = 8
    normalise: bool = True


@dataclass(frozen=True)
class ProtocolConfig:
    """How candidates are compared.

    Args:
        folds: Folds of the cross-validation of fewer than 2 000 rows; 1 for a single holdout,
            whatever the number of rows.
        finalists: Families whose best trial is trained again.
        replicates: Trainings of every finalist, each on a fresh division and seed.
        outer_folds: Outer folds of the nested cross-validation that takes the place of a locked
            part where there are few rows; 0 for a locked part whatever their number.
        outer_repeats: How often it is repeated.
        outer_work: The outer folds train at most so many times as much as the search, counted in
            rows; trials that were asked later are left out of them. 0 for no bound.
        negatives: Negative rows that the search trains on for each positive one, drawn at random,
            where there are two classes; every positive is kept, finalists train on all rows and
            the read-out undoes the changed prior. 0 for all rows.
        racing: Whether trials that fall behind others of their age leave the search early, and
            new ones take their places at once.
    """

    folds: int = 5
    finalists: int = 5
    replicates: int = 5
    outer_folds: int = 5
    outer_repeats: int = 2
    outer_work: float = 0
    negatives: float = 0
    racing: bool = False


@dataclass(frozen=True)
class TrainingConfig:
    """How a candidate is trained.

    Args:
        batch_size: Rows of a mini-batch.
        max_epochs: Epochs at most.
        patience: Epochs without a lower refined log loss before a candidate stops.
        warmup: Share of all steps in which the learning rate rises linearly to its full value.
        decay: Share of all steps, at the end, in which it falls to zero.
        precision: Of the hidden layers in training, ``"float32"`` or ``"bfloat16"``; ``"auto"``
            for bfloat16 on processors that have products of it. Weights, logits, scores and the
            model that ships are float32 in any case.
    """

    batch_size: int = 256
    max_epochs: int = 40
    patience: int = 8
    warmup: float = 0.02
    decay: float = 0.5
    precision: Precision = "auto"
