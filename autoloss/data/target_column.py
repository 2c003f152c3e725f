"""The target column of one label a row: its classes, their checks, and the positive class."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoloss.core.errors import InputError
from autoloss.core.task import Label, Task, kind_of_classes
from autoloss.data.cells import plain_flag, plain_writing
from autoloss.data.messages import listed, plural, unknown_name
from autoloss.data.parts import count_classes
from autoloss.data.split import Codes, Rows

_POSITIVE = ({"true", "t"}, {"1"}, {"yes", "y"}, {"positive", "pos"})
_NEGATIVE = ({"false", "f"}, {"0", "-1"}, {"no", "n"}, {"negative", "neg"})
LEAST_ROWS = 20
# The number of distinct integers beyond which a target may be an amount and not a class.
_MOST_NUMBERS = 30
_MOMENT = r"\d{4}-\d{2}-\d{2}(?: \d{2}:\d{2}:\d{2}(?:\.\d+)?)?"


@dataclass(frozen=True)
class TargetColumn:
    """The target of a table as text labels, from any type.

    Args:
        keys: The labels as text; missing where a row has no target.
        form: The type of the labels: ``"bool"``, ``"int"``, ``"float"``, ``"date"``, ``"str"``, or
            ``"written"`` for numbers whose spelling the number alone does not determine.
    """

    keys: pd.Series
    form: str

    @property
    def known(self) -> NDArray[np.bool_]:
        """Return the rows that have a target, (N,)."""
        return np.asarray(self.keys.notna().to_numpy(), dtype=bool)

    def check(self, *, name: str, label: str, are_classes: bool = False) -> None:
        """Refuse a target that cannot be predicted; see `check_classes`."""
        check_classes(self, name=name, label=label, are_classes=are_classes)

    def strata(self, hidden: NDArray[np.bool_]) -> Codes:
        """Return the class by which each row is divided, -1 where it has none.

        Args:
            hidden: The rows whose labels decide nothing, not even the order of the classes.

        Shape:
            hidden and result (N,).
        """
        keys = self.keys.where(~hidden) if hidden.any() else self.keys
        return pd.factorize(keys)[0].astype(np.int64)

    def rarest(self, rows: Rows, codes: Codes) -> tuple[str, str, int]:
        """Return the word class, the rarest class of some rows, and its rows.

        Args:
            rows: Their numbers.
            codes: The result of `strata`.
        """
        counts = np.bincount(codes[rows])
        present = np.flatnonzero(counts)
        rarest = present[np.argmin(counts[present])]
        name = str(self.keys.iloc[rows[codes[rows] == rarest][0]])
        return "class", name, int(counts[rarest])

    def task(self, train: Rows, *, name: str, positive: str | None) -> tuple[Task, list[str], str]:
        """Return the task, its classes as text, and a note on the positive class.

        Args:
            train: The rows that decide which classes there are.
            name: The name of the target.
            positive: The positive label that the user asked for.

        Raises:
            InputError: The rows are of a single class, or as in `make_task`.
        """
        trained = [str(key) for key in self.keys.iloc[train].unique()]
        if len(trained) < 2:
            raise InputError(
                f"Training rows must have at least two classes of {name!r}, but all are"
                f" {trained[0]!r}; divide the data in another way."
            )
        return make_task(self, trained, name=name, positive=positive)

    def targets(self, keys: Sequence[str], rows: Rows) -> Tensor:
        """Return the class of some rows as codes, below 0 where unknown, (n,)."""
        return torch.tensor(self.codes(keys)[rows], dtype=torch.int64)

    def unknown(self, keys: Sequence[str], rows: Rows) -> tuple[NDArray[np.bool_], list[str]]:
        """Return the rows whose class is not among `keys`, and the names of these classes."""
        unknown = self.codes(keys)[rows] < 0
        return unknown, sorted({str(key) for key in self.keys.iloc[rows[unknown]]})

    def count(self, targets: Tensor, keys: Sequence[str]) -> Tensor:
        """Return the rows of each class, (N,) -> (C,)."""
        return count_classes(targets, len(keys))

    def trained(self, counts: Tensor) -> Tensor:
        """Return the counts of training rows as losses need them, (C,)."""
        return counts

    def judged(self, targets: Tensor, counts: Tensor) -> Tensor:
        """Return the targets of held-out rows that are judged: all, (N,)."""
        return targets

    def summary(self, keys: Sequence[str], total: Tensor) -> dict[str, Any]:
        """Return the classes and counts of all rows as fields of a `DataSummary`."""
        return {"classes": tuple(keys), "class_counts": tuple(total.tolist())}

    def notes(
        self, keys: Sequence[str], total: Tensor, train: Tensor, held: Mapping[str, Tensor]
    ) -> list[str]:
        """Return notes on rare classes; see `class_notes`."""
        return class_notes(keys, total, held)

    def codes(self, classes: Sequence[str]) -> NDArray[np.int64]:
        """Return each row's place in `classes`: -1 where missing, -2 where not among them."""
        numbers, unique = pd.factorize(self.keys)
        place = {key: code for code, key in enumerate(classes)}
        # A DataFrame may have blanks around its labels, and flags of its own spelling.
        bare = {plain_flag(key.strip()): code for code, key in enumerate(classes)}
        bare = bare if len(bare) == len(classes) else {}
        codes = [place.get(key, bare.get(plain_flag(key), -2)) for key in map(str, unique)]
        return np.asarray(np.array([*codes, -1], dtype=np.int64)[numbers], dtype=np.int64)


def check_classes(
    target: TargetColumn, *, name: str, label: str, are_classes: bool = False
) -> None:
    """Refuse a target that is not a class: a single value, many numbers, or an identifier.

    Args:
        target: The target.
        name: Its name.
        label: Name of the table in messages.
        are_classes: Whether the user says that each number is a class, however many there are.

    Raises:
        InputError: The target cannot be predicted by a classifier.
    """
    counts = target.keys.value_counts()
    n_rows, n_classes = int(counts.sum()), len(counts)
    if n_classes == 1:
        raise InputError(
            f"Target {name!r} must have at least two classes, but every row of {label} is"
            f" {str(counts.index[0])!r}."
        )
    if n_rows < LEAST_ROWS:
        raise InputError(
            f"{label} must have at least {LEAST_ROWS} rows with a target, but has {n_rows}."
        )
    rows_each = n_rows / n_classes
    continuous = {
        "float": n_classes > 20 or (n_classes > 10 and rows_each < 20),
        "int": n_classes > _MOST_NUMBERS,
        "date": n_classes > _MOST_NUMBERS,
    }
    continuous["written"] = continuous["float"]
    what = "dates" if target.form == "date" else "numbers"
    if continuous.get(target.form, False) and not are_classes:
        raise InputError(
            f"Target {name!r} must hold classes, but has {n_classes:,} different {what} in"
            f" {plural(n_rows, 'row')}; cut it into a few classes (pandas.cut), or confirm that"
            f" each {what[:-1]} is a class with --classes (in Python classes=True)."
        )
    if n_classes > 10 and rows_each < 2:
        raise InputError(
            f"Target {name!r} must hold classes, but has {n_classes:,} different values in"
            f" {plural(n_rows, 'row')}; name the column of the class."
        )
    if int((counts >= 3).sum()) < 2:
        raise InputError(
            f"Target {name!r} must have two classes of at least 3 rows, but the second largest of"
            f" {label} has {plural(int(counts.iloc[1]), 'row')}; add rows of it."
        )


def sorted_keys(keys: list[str], form: str) -> list[str]:
    """Return labels in the order of their values: numbers by size, False before True."""
    if form == "int":
        return sorted(keys, key=int)
    if form in ("float", "written"):
        return sorted(keys, key=lambda key: (float(key), key))
    return sorted(keys)


def make_task(
    target: TargetColumn, keys: list[str], *, name: str, positive: str | None
) -> tuple[Task, list[str], str]:
    """Return the task, the order of its classes as text, and a note on which class is positive.

    Args:
        target: The target of the table.
        keys: The classes that training rows have.
        name: The name of the target.
        positive: The positive label that the user asked for.

    Raises:
        InputError: The positive label is not there, or there are more than two classes.
    """
    keys = sorted_keys(keys, target.form)
    note = ""
    if positive is not None and positive not in keys:
        # 1.0 is the label 1, and a label of a DataFrame may have blanks around it.
        same = [key for key in keys if _bare(key) == _bare(positive)]
        positive = same[0] if len(same) == 1 else positive
    if positive is not None and positive not in keys:
        raise unknown_name(f"positive must be a label of target {name!r}", positive, keys)
    if len(keys) > 2 and positive is not None:
        raise InputError(
            f"positive must be given for two classes only, but target {name!r} has {len(keys)}:"
            f" {listed(keys)}."
        )
    if len(keys) == 2:
        chosen, why = (positive, "as asked") if positive is not None else _positive(target, keys)
        keys = [next(key for key in keys if key != chosen), chosen]
        note = f"The positive class of {name!r} is {chosen!r} ({why})."
    labels = tuple(_label(key, target.form) for key in keys)
    kind = kind_of_classes(len(keys))
    return Task(kind, labels, name, are_dates=_are_dates(target, keys)), keys, note


def _bare(key: str) -> str:
    """Return a label without blanks around it, a number or a flag in its plain spelling."""
    return plain_flag(plain_writing(key.strip()))


def _are_dates(target: TargetColumn, keys: list[str]) -> bool:
    """Return whether labels can become moments again, which have no zone."""
    return target.form == "date" and all(re.fullmatch(_MOMENT, key) for key in keys)


def _positive(target: TargetColumn, keys: list[str]) -> tuple[str, str]:
    """Return the positive label of two, and the reason."""
    words = {key: key.strip().lower() for key in keys}
    for positive, negative in zip(_POSITIVE, _NEGATIVE, strict=True):
        for one, other in (keys, keys[::-1]):
            if words[one] in positive and words[other] in negative:
                return one, "by its name"
    for one, other in (keys, keys[::-1]):
        yes = set().union(*_POSITIVE) - {"1", "t", "y"}
        if words[one] in yes and words[other] not in yes:
            return one, "by its name"
    counts = [int((target.keys == key).sum()) for key in keys]
    if counts[0] == counts[1]:
        return keys[1], "the second of two equally frequent classes; name another with positive"
    return keys[int(np.argmin(counts))], "the rarer class; name another with positive"


def _label(key: str, form: str) -> Label:
    """Return a label in its type in the data."""
    if form == "bool":
        return key == "True"
    if form == "int":
        return int(key)
    return float(key) if form == "float" else key


def class_notes(keys: Sequence[str], total: Tensor, held: Mapping[str, Tensor]) -> list[str]:
    """Return notes on classes with a single row, and on parts that lack a class.

    Args:
        keys: The classes.
        total: All rows of each class.
        held: Rows of each class that any division holds out, by the name of the part.

    Shape:
        total and held each (C,).
    """
    notes = []
    single = [key for key, count in zip(keys, total, strict=True) if count == 1]
    if single:
        noun = "Class" if len(single) == 1 else "Classes"
        notes.append(
            f"{noun} {listed(single)} with one row: trained on, never validated or tested."
        )
    for name, count in held.items():
        absent = [key for key, n in zip(keys, count, strict=True) if n == 0 and key not in single]
        if absent:
            notes.append(f"The {name} part has no row of {listed(absent)}.")
    return notes
