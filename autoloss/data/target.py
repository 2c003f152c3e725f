"""Reading the target: the names of its columns, and the labels of a single column."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd

from autoloss.core.errors import InputError
from autoloss.data.cells import plain_writing
from autoloss.data.frames import Table
from autoloss.data.messages import listed, one_line, unknown_name
from autoloss.data.options import DataOptions
from autoloss.data.target_column import TargetColumn
from autoloss.data.values import label_of, relabel, values_of


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
        if series.dropna().map(lambda cell: isinstance(cell, list | tuple | np.ndarray)).all():
            raise InputError(
                f"Target {name!r} must hold classes, but {label} has lists in it; for several"
                " labels per row add --labels-in list (in Python labels_in='list')."
            )
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


def _is_number(text: object) -> bool:
    """Return whether a column name is a number, as in a file without a header."""
    try:
        float(str(text))
    except ValueError:
        return False
    return True
