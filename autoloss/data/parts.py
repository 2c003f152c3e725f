"""Encoded rows in their parts and folds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from autoloss.core.ragged import joined_labels


@dataclass(frozen=True, eq=False)
class Part:
    """Encoded rows with their classes.

    Args:
        inputs: The rows, `Inputs` of a kind; the rows of a large part of a table are encoded when
            they are taken.
        targets: Class codes, a tensor of int64; of several labels 1 for yes, 0 for no and -100
            where missing; of sequences a `Ragged` of classes, -100 where missing.
        weights: Weight of each row, or None if all weigh the same.
        rows: Number of each row in the table that it came from, from 0.
        clusters: Cluster of each row: its group if there are groups, else the row itself. Another
            table has other codes. None stands for `rows`.
        table: The table that it came from: ``"data"``, or ``"test"`` or ``"valid"`` for that file.
        costs: Cost of each row, by which those of its decisions are multiplied; None for 1.

    Shape:
        weights, rows, clusters, costs (N,); targets (N,), of several labels (N, L).
    """

    # The network of a kind reads values of that kind.
    inputs: Any
    targets: Any
    weights: Tensor | None
    rows: Tensor
    clusters: Tensor = None  # type: ignore[assignment]
    table: str = "data"
    costs: Tensor | None = None

    def __post_init__(self) -> None:
        if self.clusters is None:
            object.__setattr__(self, "clusters", self.rows)

    def __len__(self) -> int:
        """Return the number of rows N."""
        return len(self.inputs)

    def take(self, places: Tensor) -> Part:
        """Return the rows at some places of the part, in that order."""
        return replace(
            self,
            inputs=self.inputs.take(places),
            targets=self.targets[places],
            weights=None if self.weights is None else self.weights[places],
            rows=self.rows[places],
            clusters=self.clusters[places],
            costs=None if self.costs is None else self.costs[places],
        )


@dataclass(frozen=True, eq=False)
class Fold:
    """One division of the rows, encoded by its own training rows.

    Args:
        train: Rows to train on.
        valid: Rows held out, which candidates are compared on.
        test: Rows of an outer fold, which nothing is chosen on; None outside nested
            cross-validation.
        encoding: How the columns were encoded, fitted on `train` alone.
        class_counts: Training rows of each class, or without and with each label, int64.

    Shape:
        class_counts (C,), of several labels (L, 2).
    """

    train: Part
    valid: Part
    test: Part | None
    encoding: Any
    class_counts: Tensor


@dataclass(frozen=True, eq=False)
class LockedPart:
    """The test rows, of which only counts and a hash are known before they are opened.

    Args:
        n_rows: How many there are.
        class_counts: Rows of each class, or without and with each label, int64.
        sha256: Hash of the rows and of their numbers.

    Shape:
        class_counts (C,), of several labels (L, 2).
    """

    n_rows: int
    class_counts: Tensor
    sha256: str
    _part: Part = field(repr=False)
    _encode: Callable[[Any], Part] = field(repr=False)

    def open(self, encoding: Any = None) -> Part:
        """Return the rows: after everything has been chosen.

        Args:
            encoding: The encoding of the model that predicts the rows; None for the first fold's.
        """
        return self._part if encoding is None else self._encode(encoding)


def joined(parts: Sequence[Part]) -> Part:
    """Return the rows of several tables with one encoding as one part, without weights.

    Rows and clusters keep the numbers of their own tables.
    """
    inputs = [part.inputs for part in parts]
    return Part(
        type(inputs[0]).joined(inputs),
        joined_labels([part.targets for part in parts]),
        None,
        torch.cat([part.rows for part in parts]),
        torch.cat([part.clusters for part in parts]),
        parts[0].table,
    )


def count_classes(targets: Tensor, n_classes: int) -> Tensor:
    """Return the rows of each class.

    Shape:
        targets (N,); result (C,).
    """
    return torch.bincount(targets, minlength=n_classes)
