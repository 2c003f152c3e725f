"""The roles of a table's columns: inputs, target, groups, time, or names of the parts."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autoloss.core.errors import InputError
from autoloss.data.dates import find_format, parse_moments
from autoloss.data.frames import Table
from autoloss.data.messages import one_line, unknown_name
from autoloss.data.number_text import find_style
from autoloss.data.numbers import parse_numbers
from autoloss.data.options import DataOptions
from autoloss.data.stream import exact_column
from autoloss.data.values import seconds, values_of

TRAIN, VALID, TEST = 0, 1, 2
PARTS = {
    "train": TRAIN,
    "training": TRAIN,
    "valid": VALID,
    "validation": VALID,
    "val": VALID,
    "dev": VALID,
    "test": TEST,
    "testing": TEST,
}


@dataclass(frozen=True)
class Roles:
    """The roles of a table's columns.

    Args:
        target: The name of the target: of its column, or of several columns together.
        targets: The columns of the target: one, or one for each of several labels.
        inputs: The columns that may be learnt from.
        split: The column that names the part of each row, if there is one.
        costs: The column of the cost of each row, if there is one.
    """

    target: str
    targets: tuple[str, ...]
    inputs: tuple[str, ...]
    split: str | None
    costs: str | None = None


def roles_of(table: Table, target: str, targets: tuple[str, ...], options: DataOptions) -> Roles:
    """Return the roles of the columns under the options.

    Args:
        table: The table.
        target: The name of the target.
        targets: Its columns.
        options: The options.

    Raises:
        InputError: A column that an option names is not there, or has two roles.
    """
    columns = [str(name) for name in table.frame.columns]
    drop = (options.drop,) if isinstance(options.drop, str) else tuple(options.drop)
    drop += tuple(name for name, kind in options.kinds.items() if kind == "drop")
    named = [("groups", options.groups), ("split_by", options.split_by)]
    named.append(("cost_column", options.cost_column))
    for option, name in [*named, *(("drop", name) for name in drop)]:
        if name is None:
            continue
        if name not in columns:
            raise unknown_name(f"{option} must name a column of {table.label}", name, columns)
        if name in targets:
            raise InputError(f"{option} must not be the target, but got {option}={name!r}.")
    if options.groups is not None and options.split_by is not None:
        raise InputError("groups and split_by must not be given together; leave one out.")
    split = _split_column(table, targets, drop)
    if split is not None and options.split_by is not None:
        raise InputError(
            f"split_by must not be given where column {split!r} of {table.label} names the parts;"
            f" leave it out, or drop {split!r}."
        )
    if options.cost_column is not None and options.cost_column in (options.groups, *drop):
        raise InputError(
            f"cost_column must have no other role, but got cost_column={options.cost_column!r}."
        )
    out = {*targets, options.groups, options.cost_column, split, *drop}
    inputs = tuple(name for name in columns if name not in out)
    return Roles(target, targets, inputs, split, options.cost_column)


def _split_column(table: Table, targets: tuple[str, ...], drop: tuple[str, ...]) -> str | None:
    """Return the column ``split`` if any cell names a part."""
    for name in table.frame.columns:
        if str(name).lower() == "split" and name not in targets and name not in drop:
            known = values_of(table.frame[name]).text.str.lower().isin(list(PARTS))
            return str(name) if bool(known.any()) else None
    return None


def parts_named(table: Table, split: str) -> NDArray[np.int64]:
    """Return the part of every row, as its split column says.

    Raises:
        InputError: A cell names no part, or no row is for training.
    """
    text = values_of(table.frame[split]).text.str.lower()
    parts = text.map(PARTS)
    wrong = parts.isna().to_numpy()
    if wrong.any():
        row = int(wrong.argmax())
        got = table.frame[split].iloc[row]
        raise InputError(
            f"Column {split!r} of {table.label} must say train, valid or test in every row, but"
            f" row {row + 1} has {one_line(got)!r}; correct it, or drop {split!r}."
        )
    found = parts.to_numpy(dtype=np.int64)
    if not (found == TRAIN).any():
        raise InputError(
            f"Column {split!r} of {table.label} must name rows to train on, but has none."
        )
    return np.asarray(found, dtype=np.int64)


def group_codes(table: Table, name: str) -> tuple[NDArray[np.int64], list[str], int]:
    """Return the group of every row, the names of the groups, and how many rows had none.

    A row without a group is its own group.
    """
    codes, unique = pd.factorize(values_of(exact_column(table, name)).text)
    codes = codes.astype(np.int64)
    alone = codes < 0
    codes[alone] = len(unique) + np.arange(int(alone.sum()))
    return codes, [str(key) for key in unique], int(alone.sum())


def times(table: Table, name: str, *, date_format: str | None = None) -> NDArray[np.float64]:
    """Return the time of every row as a number, NaN if missing.

    Args:
        table: The table.
        name: The column.
        date_format: The format of dates that the user names.

    Raises:
        InputError: The column holds neither numbers nor dates.
    """
    values = values_of(table.frame[name])
    data = values.data
    if date_format is not None and values.form in ("text", "number"):
        when = parse_moments(values.text, date_format)
        # The format may be meant for another column.
        if when.notna().sum() >= 0.9 * values.text.notna().sum():
            return seconds(when)
    if values.form == "text":
        form = find_format(data, day_first=table.decimal == ",")
        style = find_style(data, decimal=table.decimal) if form is None else None
        if style is not None:
            return parse_numbers(data, style)
        data = parse_moments(data, form) if form is not None else data
        values = replace(values, form="date" if form is not None else "text")
    if values.form == "date":
        return seconds(data)
    if values.form == "number":
        return np.asarray(data.to_numpy(dtype="float64", na_value=np.nan))
    raise InputError(
        f"split_by must be a column of numbers or dates, but {name!r} of {table.label} holds"
        " neither; name another column."
    )
