"""The target: its column, its labels, the check that they are classes, and the positive class."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autoloss.core.errors import InputError
from autoloss.core.task import Label, Task, kind_of_classes
from autoloss.data.cells import plain_flag, plain_writing
from autoloss.data.frames import Table
from autoloss.data.messages import listed, one_line, plural, unknown_name
from autoloss.data.options import DataOptions
from autoloss.data.values import label_of, relabel, values_of

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

    def codes(self, classes: list[str]) -> NDArray[np.int64]:
        """Return each row's place in `classes`: -1 where missing, -2 where not among them."""
        numbers, unique = pd.factorize(self.keys)
        place = {key: code for code, key in enumerate(classes)}
        # A DataFrame may have blanks around its labels, and flags of its own spelling.
        bare = {plain_flag(key.strip()): code for code, key in enumerate(classes)}
        bare = bare if len(bare) == len(classes) else {}
        codes = [place.get(key, bare.get(plain_flag(key), -2)) for key in map(str, unique)]
        return np.asarray(np.array([*codes, -1], dtype=np.int64)[numbers], dtype=np.int64)


def target_of(table: Table, options: DataOptions) -> str:
    """Return the name of the target column.

    Raises:
        InputError: If the user names none, or a column that does not exist.
    """
    columns = list(table.frame.columns)
    if options.target is None:
        if table.target is not None:
            return table.target
        raise InputError(
            f"target must name the column of the class; {table.label} has {listed(columns)}."
        )
    target = str(options.target)
    if target in columns:
        return target
    if len(columns) == 1:
        raise InputError(
            f"target must name a column of {table.label}, but got {target!r}, and all there is is"
            f" {one_line(columns[0])!r}; separate cells by comma, semicolon, tab or |."
        )
    if all(_is_number(name) for name in columns):
        raise InputError(
            f"target must name a column of {table.label}, but got {target!r}, and the first line"
            " holds numbers only; add a header line with names."
        )
    raise unknown_name(f"target must name a column of {table.label}", target, columns)


def one_target(table: Table, target: str) -> Table:
    """Return the table without copies of the target, which would leak the answer.

    Raises:
        InputError: If columns of that name differ.
    """
    copies = [new for first, new in table.repeated if first == target]
    for copy in copies:
        if not values_of(table.frame[copy]).text.equals(values_of(table.frame[target]).text):
            raise InputError(
                f"{table.label} must have one target, but {len(copies) + 1} columns are named"
                f" {target!r} and differ; rename or remove one."
            )
    if not copies:
        return table
    note = f"{table.label}: copies of the target {target!r} were left out."
    return replace(table, frame=table.frame.drop(columns=copies), notes=(*table.notes, note))


def read_target(
    series: pd.Series, *, name: str, label: str, are_numbers: bool = False
) -> TargetColumn:
    """Read the target column of a table; labels keep their spelling.

    Args:
        series: The column.
        name: Its name.
        label: Name of the table in messages.
        are_numbers: Whether its text is that of numbers in a file.

    Raises:
        InputError: No row has a target, or the column holds lists.
    """
    if isinstance(series.dtype, pd.CategoricalDtype):
        # The categories are the labels.
        series = series.astype(object)
    if series.notna().any() and _is_text(series):
        target = _of_text(series, are_numbers=are_numbers)
    else:
        target = _of_values(series, name=name, label=label)
    if not target.keys.notna().any():
        raise InputError(
            f"{label} must have rows with a target, but column {name!r} is empty throughout."
        )
    return target


def _is_text(series: pd.Series) -> bool:
    """Return whether a column holds text, or values of several types that become text."""
    if isinstance(series.dtype, pd.StringDtype):
        return True
    kind = pd.api.types.infer_dtype(series, skipna=True) if series.dtype == object else ""
    return kind == "string" or (kind in ("mixed", "mixed-integer") and _is_plain(series))


def _is_plain(series: pd.Series) -> bool:
    """Return whether no cell of a column is a list or another container."""
    return bool(series.dropna().map(lambda cell: isinstance(cell, str) or np.isscalar(cell)).all())


def _of_text(series: pd.Series, *, are_numbers: bool) -> TargetColumn:
    """Return labels that are text."""
    text = series.map(label_of, na_action="ignore").astype("string")
    text = text.mask((text.str.strip() == "").fillna(False))
    if not are_numbers:
        return TargetColumn(text, "str")
    written = [str(one) for one in text.dropna().unique()]
    if all(re.fullmatch(r"-?[1-9]\d*|0", one) for one in written):
        return TargetColumn(text, "int")
    # 0. and 0.0 are the float 0.0; the floats 1.10 and 1E2 would have another spelling.
    if all(one in (repr(float(one)), repr(float(one)).removesuffix("0")) for one in written):
        return TargetColumn(relabel(text.astype("float64"), text.index), "float")
    return TargetColumn(text, "written")


def _of_values(series: pd.Series, *, name: str, label: str) -> TargetColumn:
    """Return labels that are not text."""
    values = values_of(series)
    if values.form == "unusable":
        raise InputError(
            f"Target {name!r} must hold classes, but {label} has neither numbers nor text in it."
        )
    if values.form == "date":
        days = series.map(lambda when: plain_writing(str(when)), na_action="ignore")
        return TargetColumn(days.astype("string"), "date")
    if values.form == "number":
        whole = pd.api.types.is_integer_dtype(series.dtype) or (
            series.dtype == object and pd.api.types.infer_dtype(series, skipna=True) == "integer"
        )
        return TargetColumn(values.text, "int" if whole else "float")
    return TargetColumn(values.text, "bool" if values.form == "label" else "str")


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


def _is_number(text: object) -> bool:
    """Return whether a column name is a number, as in a file without a header."""
    try:
        float(str(text))
    except ValueError:
        return False
    return True
