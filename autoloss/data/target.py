"""The target: which labels there are, whether they are classes, and which one is positive."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autoloss.data.messages import listed, plural, unknown_name
from autoloss.data.values import relabel, values_of
from autoloss.errors import InputError
from autoloss.task import Label, Task

_POSITIVE = ({"true", "t"}, {"1"}, {"yes", "y"}, {"positive", "pos"})
_NEGATIVE = ({"false", "f"}, {"0", "-1"}, {"no", "n"}, {"negative", "neg"})
LEAST_ROWS = 20
# Whole numbers of a target beyond which it is asked whether they are classes or amounts.
_MOST_NUMBERS = 30


@dataclass(frozen=True)
class TargetColumn:
    """The target of a table as text labels, whatever type it came in.

    Args:
        keys: The labels as text; missing where a row has no target.
        form: ``"bool"``, ``"int"``, ``"float"`` or ``"str"``: what the labels were.
    """

    keys: pd.Series
    form: str

    def codes(self, classes: list[str]) -> NDArray[np.int64]:
        """Return each row's place in `classes`: -1 where missing, -2 where not among them."""
        numbers, unique = pd.factorize(self.keys)
        place = {key: code for code, key in enumerate(classes)}
        table = np.array([*(place.get(str(key), -2) for key in unique), -1], dtype=np.int64)
        return np.asarray(table[numbers], dtype=np.int64)


def read_target(series: pd.Series, *, name: str, label: str) -> TargetColumn:
    """Read the target column of a table.

    Args:
        series: The column.
        name: Its name.
        label: How messages name the table.

    Raises:
        InputError: No row has a target, or the column holds dates or lists.
    """
    values = values_of(series)
    if values.form == "nothing":
        raise InputError(
            f"{label} must have rows with a target, but column {name!r} is empty throughout."
        )
    if values.form in ("date", "unusable"):
        what = "dates" if values.form == "date" else "neither numbers nor text"
        raise InputError(f"Target {name!r} must hold classes, but {label} has {what} in it.")
    if values.form == "number":
        numbers = values.data
        whole = bool((np.mod(numbers.dropna().to_numpy(), 1.0) == 0.0).all())
        return TargetColumn(relabel(numbers, numbers.index), "int" if whole else "float")
    boolean = pd.api.types.is_bool_dtype(series.dtype) or (
        series.dtype == object and pd.api.types.infer_dtype(series, skipna=True) == "boolean"
    )
    return TargetColumn(values.text, "bool" if boolean else "str")


def check_classes(
    target: TargetColumn, *, name: str, label: str, are_classes: bool = False
) -> None:
    """Refuse a target that is no class: one value only, many numbers, or an identifier.

    Args:
        target: The target.
        name: Its name.
        label: How messages name the table.
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
    }
    if continuous.get(target.form, False) and not are_classes:
        raise InputError(
            f"Target {name!r} must hold classes, but has {n_classes:,} different numbers in"
            f" {plural(n_rows, 'row')}; cut it into a few classes (pandas.cut), or confirm that"
            " each number is a class with --classes (in Python classes=True)."
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
    return sorted(keys, key=float) if form in ("int", "float") else sorted(keys)


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
    return Task("binary" if len(keys) == 2 else "multiclass", labels, name), keys, note


def _positive(target: TargetColumn, keys: list[str]) -> tuple[str, str]:
    """Return which of two labels is positive, and why."""
    for positive, negative in zip(_POSITIVE, _NEGATIVE, strict=True):
        for one, other in (keys, keys[::-1]):
            if one.lower() in positive and other.lower() in negative:
                return one, "by its name"
    for one, other in (keys, keys[::-1]):
        yes = set().union(*_POSITIVE) - {"1", "t", "y"}
        if one.lower() in yes and other.lower() not in yes:
            return one, "by its name"
    counts = [int((target.keys == key).sum()) for key in keys]
    if counts[0] == counts[1]:
        return keys[1], "the second of two equally frequent classes; name another with positive"
    return keys[int(np.argmin(counts))], "the rarer class; name another with positive"


def _label(key: str, form: str) -> Label:
    """Return a label as it stands in the data."""
    if form == "bool":
        return key == "True"
    if form == "int":
        return int(key)
    return float(key) if form == "float" else key
