"""Several labels of each row: columns of yes and no, and their form for training."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoloss.core.errors import InputError
from autoloss.core.task import MISSING_LABEL, Task
from autoloss.data.cells import TRUTHS
from autoloss.data.frames import Table
from autoloss.data.label_lists import read_lists
from autoloss.data.messages import listed, one_line, plural, unknown_name
from autoloss.data.split import Codes, Rows
from autoloss.data.target_column import LEAST_ROWS
from autoloss.data.values import values_of
from autoloss.records import LabelCount

_WILD = "*?["
NO_OR_YES = ("no", "yes")
"""The classes of an item, of which yes is positive."""


@dataclass(frozen=True, eq=False)
class LabelColumns:
    """Several labels of each row of a table.

    Args:
        answers: 1 for yes, 0 for no, -100 for a missing label, int8.
        names: The labels.
        missing: The rows without a list of labels; None for columns, whose cells tell it.

    Shape:
        answers (N, L), missing (N,).
    """

    answers: NDArray[np.int8]
    names: tuple[str, ...]
    missing: NDArray[np.bool_] | None = None

    @property
    def known(self) -> NDArray[np.bool_]:
        """Return the rows of which a label is known, (N,)."""
        if self.missing is not None:
            return ~self.missing
        return np.asarray((self.answers != MISSING_LABEL).any(1), dtype=bool)

    def check(self, *, name: str, label: str, are_classes: bool = False) -> None:
        """Refuse labels of which none can be learnt; see `TargetColumn.check`."""
        if are_classes:
            raise InputError("classes must be left out for several labels, which are yes or no.")
        counts = _counts(self.answers)
        n_rows = int(self.known.sum())
        if n_rows < LEAST_ROWS:
            raise InputError(
                f"{label} must have at least {LEAST_ROWS} rows with a target, but has {n_rows}."
            )
        if not (counts.min(1) >= 3).any():
            raise InputError(
                f"Target {name!r} must have a label with at least 3 rows of yes and 3 of no, but"
                f" {label} has none; add rows, or name other columns."
            )

    def strata(self, hidden: NDArray[np.bool_]) -> Codes:
        """Return the answers by which rows are divided, see `RowPool`, (N, L).

        Args:
            hidden: The rows whose labels decide nothing.

        Shape:
            hidden (N,).
        """
        answers = self.answers.astype(np.int64)
        answers[hidden] = MISSING_LABEL
        return answers

    def rarest(self, rows: Rows, codes: Codes) -> tuple[str, str, int]:
        """Return the word label, the rarest label of some rows, and its rows.

        Labels that are never yes, or never no, do not count.
        """
        counts = _counts(self.answers[rows])
        fewest = np.where(counts.min(1) > 0, counts.min(1), len(rows) + 1)
        place = int(fewest.argmin())
        return "label", self.names[place], int(min(fewest[place], len(rows)))

    def task(self, train: Rows, *, name: str, positive: str | None) -> tuple[Task, list[str], str]:
        """Return the task, its labels, and no note; see `TargetColumn.task`."""
        if positive is not None:
            raise InputError(
                f"positive must be left out for several labels, but got positive={positive!r}: the"
                " positive class of each is yes."
            )
        return Task("multilabel", NO_OR_YES, name, names=self.names), list(self.names), ""

    def codes(self, keys: Sequence[str]) -> NDArray[np.int64]:
        """Return yes (1), no (0) or missing (-100) for each row and each of `keys`, (N, L)."""
        place = {name: number for number, name in enumerate(self.names)}
        # A list has no label that it does not name.
        absent = np.where(self.known, 0, MISSING_LABEL).astype(np.int8)
        columns = [self.answers[:, place[key]] if key in place else absent for key in keys]
        return np.stack(columns, 1).astype(np.int64)

    def targets(self, keys: Sequence[str], rows: Rows) -> Tensor:
        """Return the labels of some rows as 1, 0 and -100, (n, L)."""
        return torch.tensor(self.codes(keys)[rows], dtype=torch.int64)

    def unknown(self, keys: Sequence[str], rows: Rows) -> tuple[NDArray[np.bool_], list[str]]:
        """Return no row to leave out, and the labels of some rows that are not among `keys`."""
        new = [number for number, name in enumerate(self.names) if name not in keys]
        found = [self.names[number] for number in new if (self.answers[rows, number] == 1).any()]
        return np.zeros(len(rows), dtype=bool), found

    def count(self, targets: Tensor, keys: Sequence[str]) -> Tensor:
        """Return the rows without and with each label, (N, L) -> (L, 2)."""
        return torch.stack([(targets == 0).sum(0), (targets == 1).sum(0)], 1)

    def trained(self, counts: Tensor) -> Tensor:
        """Return the counts of training rows as losses need them, (L, 2).

        A label of which no training row is known counts as a label that no row has.
        """
        unseen = counts.sum(1) == 0
        return torch.where(unseen[:, None], torch.tensor([1, 0]), counts)

    def judged(self, targets: Tensor, counts: Tensor) -> Tensor:
        """Return targets in which labels that all training rows have, or none, are missing.

        Args:
            targets: The labels of some held-out rows.
            counts: The training rows without and with each label.

        Shape:
            targets (N, L), counts (L, 2) -> (N, L).
        """
        return targets.masked_fill(counts.amin(1) == 0, MISSING_LABEL)

    def summary(self, keys: Sequence[str], total: Tensor) -> dict[str, Any]:
        """Return the classes and counts of all rows as fields of a `DataSummary`."""
        counts = tuple(
            LabelCount(key, positives=yes, negatives=no)
            for key, (no, yes) in zip(keys, total.tolist(), strict=True)
        )
        return {
            "classes": NO_OR_YES,
            "class_counts": tuple(total.sum(0).tolist()),
            "labels": counts,
        }

    def notes(
        self, keys: Sequence[str], total: Tensor, train: Tensor, held: Mapping[str, Tensor]
    ) -> list[str]:
        """Return notes on labels that do not vary, and on parts that lack a label.

        Args:
            keys: The labels.
            total: All rows without and with each label.
            train: Training rows without and with each label.
            held: The same of the rows that any division holds out, by the name of the part.

        Shape:
            total, train and held each (L, 2).
        """
        notes = []
        is_constant, never, unseen = train.amin(1) == 0, train[:, 1] == 0, total.sum(1) == 0
        for found, words in (
            (never & ~unseen, "never yes in the training rows"),
            (is_constant & ~never, "always yes in the training rows"),
            (unseen, "missing in every row"),
        ):
            if same := [key for key, one in zip(keys, found.tolist(), strict=True) if one]:
                noun, their = ("Label", "its") if len(same) == 1 else ("Labels", "their")
                notes.append(
                    f"{noun} {listed(same)}: {words}; the model keeps {their} constant"
                    " probability, and no figure counts it."
                )
        for name, counts in held.items():
            absent = [
                key
                for key, row, own in zip(keys, counts, is_constant, strict=True)
                if not own and row[1] == 0
            ]
            if absent:
                notes.append(f"The {name} part has no row with {listed(absent)}.")
        missing = int((self.answers[self.known] == MISSING_LABEL).sum())
        if missing:
            notes.append(f"{plural(missing, 'missing label')} in rows with others: not counted.")
        return notes


def several_targets(
    columns: Sequence[str], target: str | Iterable[str], *, label: str
) -> tuple[str, ...]:
    """Return the columns that a target of several labels names; empty if it is a single column.

    Args:
        columns: The columns of the table.
        target: The name of one column, names and patterns (``topic_*``) joined by commas, or a
            sequence of them.
        label: Name of the table in messages.

    Raises:
        InputError: A name or a pattern fits no column, or they fit one column only.
    """
    if isinstance(target, str):
        if target in columns or not set(target) & {",", *_WILD}:
            return ()
        wanted = [part.strip() for part in target.split(",") if part.strip()]
        if not any(_fitting(columns, part) for part in wanted):
            return ()
    else:
        wanted = [str(part).strip() for part in target]
        if commas := [part for part in wanted if "," in part]:
            raise InputError(
                f"target must be names without commas for several labels, but got {commas[0]!r};"
                " rename the column."
            )
    if not wanted:
        raise InputError(f"target must name columns of {label}, but got none.")
    found: dict[str, None] = {}
    for part in wanted:
        fitting = _fitting(columns, part)
        if not fitting:
            raise unknown_name(f"target must name columns of {label}", part, columns)
        found |= dict.fromkeys(fitting)
    if len(found) < 2:
        only = next(iter(found), "")
        raise InputError(
            f"target must name two columns or more for several labels, but got {only!r} alone: it"
            f" is a binary task, --target {only} (in Python target={only!r})."
        )
    return tuple(found)


def _fitting(columns: Sequence[str], part: str) -> list[str]:
    """Return the column of that name, or the columns that fit a pattern, in their order."""
    if part in columns or not set(part) & set(_WILD):
        return [part] if part in columns else []
    return [name for name in columns if fnmatch.fnmatchcase(name, part)]


def read_labels(table: Table, names: Sequence[str]) -> LabelColumns:
    """Read columns of yes and no.

    Args:
        table: The table.
        names: The columns.

    Raises:
        InputError: A cell is neither yes nor no, or no row has a label.
    """
    answers = np.stack([_answers(table, name) for name in names], 1)
    if not (answers != MISSING_LABEL).any():
        raise InputError(
            f"{table.label} must have rows with a target, but the columns {listed(names)} are"
            " empty throughout."
        )
    return LabelColumns(answers, tuple(names))


def read_label_lists(
    table: Table, name: str, *, separator: str | None = None, is_whole: bool = True
) -> LabelColumns:
    """Read a column of lists of labels; a missing cell is a row without known labels.

    Args:
        table: The table.
        name: The column.
        separator: The text between the labels of a cell, where cells are text.
        is_whole: Whether all labels of the study are in this table, which then must have two.

    Raises:
        InputError: As in `read_lists`.
    """
    names, has, is_missing = read_lists(
        table.frame[name], name=name, label=table.label, separator=separator, is_whole=is_whole
    )
    answers = np.where(is_missing[:, None], MISSING_LABEL, has).astype(np.int8)
    return LabelColumns(answers, names, is_missing)


def _answers(table: Table, name: str) -> NDArray[np.int8]:
    """Return 1, 0 or -100 for each cell of a column, (N,)."""
    series = table.frame[name]
    values = values_of(series)
    if values.form == "nothing":
        return np.full(len(series), MISSING_LABEL, dtype=np.int8)
    if values.form == "number":
        numbers = values.data.to_numpy(dtype="float64", na_value=np.nan)
        found = np.where(np.isnan(numbers), MISSING_LABEL, numbers)
        wrong = ~np.isin(found, (0.0, 1.0, MISSING_LABEL)) | (numbers == MISSING_LABEL)
    else:
        text = values.text.str.strip().str.lower()
        truths = text.map(TRUTHS)
        wrong = (truths.isna() & text.notna()).to_numpy(dtype=bool)
        found = truths.astype("float64").fillna(MISSING_LABEL).to_numpy()
    if wrong.any():
        row = int(wrong.argmax())
        n_values = values.text.nunique()
        raise InputError(
            f"Each target column must hold yes or no (1 and 0, yes and no, true and false), but"
            f" {name!r} of {table.label} has {plural(n_values, 'value')}, such as"
            f" {one_line(series.iloc[row])!r} in row {row + 1}; leave it out of target, or search"
            " for it alone."
        )
    return found.astype(np.int8)


def _counts(answers: NDArray[np.int8]) -> NDArray[np.int64]:
    """Return the rows without and with each label, (L, 2)."""
    return np.stack([(answers == 0).sum(0), (answers == 1).sum(0)], 1)


def joined_name(names: Sequence[str], target: str | Iterable[str]) -> str:
    """Return the name of a target of several columns, short for many.

    Examples:
        >>> joined_name(["a", "b"], ["a", "b"])
        'a, b'
    """
    if isinstance(target, str):
        return target
    shown = ", ".join(names[:6])
    return shown if len(names) <= 6 else f"{shown} and {len(names) - 6} more"
