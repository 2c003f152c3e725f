"""Data that is ready for a search: its parts, and the options that made them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from autoloss.data.encode import TableEncoding
from autoloss.data.inputs import TableInputs
from autoloss.records import DataSummary
from autoloss.task import Label, Task


@dataclass(frozen=True, eq=False)
class DataOptions:
    """What to predict from a table, and how to divide it.

    Args:
        target: Column of the class; None where the source names it itself (``sklearn:NAME``).
        test: A table whose rows are locked, instead of a share of the data.
        valid: A table whose rows validate, instead of a share of the data.
        groups: Column whose values never stand in two parts; it is not learnt from.
        split_by: Column of time: the latest rows are locked, the latest of the rest validate.
        drop: Columns to leave out.
        positive: The positive label of two.
        seed: Seed of the division.
    """

    target: str | None = None
    test: str | Path | pd.DataFrame | None = None
    valid: str | Path | pd.DataFrame | None = None
    groups: str | None = None
    split_by: str | None = None
    drop: tuple[str, ...] = ()
    positive: Label | None = None
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Part:
    """Encoded rows with their classes.

    Args:
        inputs: The rows.
        targets: Class codes, int64.
        weights: Weight of each row, None where all weigh the same.
        rows: Number of each row in the table that it came from, from 0.

    Shape:
        targets, weights, rows (N,).
    """

    inputs: TableInputs
    targets: Tensor
    weights: Tensor | None
    rows: Tensor

    def __len__(self) -> int:
        """Return the number of rows N."""
        return len(self.inputs)


@dataclass(frozen=True, eq=False)
class LockedPart:
    """The test rows: what may be known of them before they are opened.

    Args:
        n_rows: How many there are.
        class_counts: Rows of each class, int64.
        sha256: Hash of the rows and of their numbers.

    Shape:
        class_counts (C,).
    """

    n_rows: int
    class_counts: Tensor
    sha256: str
    _part: Part = field(repr=False)

    def open(self) -> Part:
        """Return the rows: once, after everything has been chosen."""
        return self._part


@dataclass(frozen=True, eq=False)
class StudyData:
    """A table that is ready for a search.

    Args:
        task: What is predicted.
        encoding: How its columns were encoded, fitted on the training rows.
        train: Rows to train on.
        valid: Rows that candidates are compared on.
        locked: Rows that only the confirmation may see.
        class_counts: Training rows of each class, int64.
        summary: All of this as plain values.
        notes: What the user should know, one sentence each.
        fingerprint: Hash of the tables, whatever the options.

    Shape:
        class_counts (C,).
    """

    task: Task
    encoding: TableEncoding
    train: Part
    valid: Part
    locked: LockedPart
    class_counts: Tensor
    summary: DataSummary
    notes: tuple[str, ...]
    fingerprint: str


def count_classes(targets: Tensor, n_classes: int) -> Tensor:
    """Return the rows of each class.

    Shape:
        targets (N,); result (C,).
    """
    return torch.bincount(targets, minlength=n_classes)
