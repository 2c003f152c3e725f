"""Hints for the columns of a table, before their kinds are inferred from training rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from autoloss.core.errors import InputError
from autoloss.data.dates import parse_moments
from autoloss.data.frames import Table
from autoloss.data.kinds import kind_of
from autoloss.data.messages import listed, unknown_name
from autoloss.data.options import NO_HINTS, DataOptions, Hints
from autoloss.data.row_numbers import row_number_reason
from autoloss.data.values import values_of

_FIRST = 2_000


def hints_of(table: Table, inputs: Sequence[str], options: DataOptions) -> dict[str, Hints]:
    """Return the hints for each input.

    Args:
        table: The table.
        inputs: Its input columns.
        options: The options of the user, which include statements on columns.

    Raises:
        InputError: The user names a column that does not exist or is not an input, or a date
            format that no column has.
    """
    kinds, marks = options.kinds, options.marks
    for name, kind in kinds.items():
        if name not in table.frame.columns:
            raise unknown_name(
                f"column must name a column of {table.label}", name, list(table.frame)
            )
        if name not in inputs and kind != "drop":
            raise InputError(
                f"column must name an input, but {name!r} is {_role_of(name, options)}; leave out"
                f" --column {name}={kind}."
            )
    form = options.date_format
    if form is not None and not _has_dates(table.frame, _may_be_dates(inputs, options), form):
        raise InputError(
            f"date_format must be the format of a column of {table.label}, but no cell of"
            f" {listed(inputs)} is a date by {form!r}."
        )
    return {
        name: Hints(
            kind=kinds.get(name),
            style=table.styles.get(name, "plain"),
            decimal=table.decimal,
            date_format=form,
            marks=marks,
            # A column that the user names is an input.
            reason="" if name in kinds else row_number_reason(name, table.frame[name]),
        )
        for name in inputs
    }


def _role_of(name: str, options: DataOptions) -> str:
    """Return the role of a column that is not an input."""
    if name == options.groups:
        return "the column of the groups"
    if name in options.drop:
        return "dropped"
    return "the column of the parts" if name.lower() == "split" else "the target"


def _may_be_dates(inputs: Iterable[str], options: DataOptions) -> list[str]:
    """Return the columns that the date format can apply to."""
    time = [] if options.split_by is None else [options.split_by]
    kinds = options.kinds
    return [*time, *(name for name in inputs if kinds.get(name, "date") == "date")]


def _has_dates(frame: pd.DataFrame, names: Iterable[str], form: str) -> bool:
    """Return whether any cell of the columns is a date in the format."""
    every = (values_of(frame[name].iloc[:_FIRST]) for name in names)
    texts = (one.text for one in every if one.form in ("text", "label", "number"))
    return any(parse_moments(text, form).notna().any() for text in texts)


def as_hinted(frame: pd.DataFrame, hints: Mapping[str, Hints]) -> pd.DataFrame:
    """Return a table whose columns have the kinds that the user names.

    It lacks the columns that are left out for a reason in the whole table.
    """
    kept = [name for name in frame if not hints.get(str(name), NO_HINTS).reason]
    found = {
        name: _as_kind(str(name), frame[name], hints.get(str(name), NO_HINTS)) for name in kept
    }
    return pd.DataFrame(found, index=frame.index, copy=False)


def _as_kind(name: str, series: pd.Series, hints: Hints) -> pd.Series:
    """Convert a column to the kind that the user names; otherwise return it unchanged."""
    if hints.kind is None and hints.date_format is None:
        return series
    try:
        typing = kind_of(name, series, hints)
    except InputError:
        # A few rows may contain no cell of that kind.
        return series
    if typing.kind == "categorical" and hints.kind == "category":
        return typing.values.text.astype("category")
    if typing.kind == "date" and typing.values.form != "date":
        return parse_moments(typing.values.data, typing.detail).set_axis(series.index)
    return typing.values.data if typing.kind == "numeric" else series
