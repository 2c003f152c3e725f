"""The columns that a model of tables reads: names, types, and made-up example rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from autoloss.data.categories import CategoryColumn
from autoloss.data.cells import FLAGS
from autoloss.data.dates import DateColumn
from autoloss.data.encode import Column, TableEncoding
from autoloss.data.numbers import NumericColumn, written_number

InputType = Literal["number", "flag", "category", "date", "text"]
_WORDS = "some text"
# With "boolean" MLflow would silently read a missing flag as false.
_TYPES = {"number": "double", "flag": "any"}


@dataclass(frozen=True)
class InputColumn:
    """A column that a classifier reads.

    Args:
        name: Its name.
        type: ``"number"``, ``"flag"`` (true and false), ``"category"``, ``"date"`` or ``"text"``.
        is_text: Whether its cells are text, such as numbers written ``1,234``.
        values: Cells made up from fitted statistics, the most usual first; none is copied from a
            row.
    """

    name: str
    type: InputType
    is_text: bool
    values: tuple[Any, ...]


def input_columns(encodings: Sequence[TableEncoding]) -> tuple[InputColumn, ...]:
    """Return the columns that `Classifier.predict` needs, in the order of the training table.

    Members may have left out different columns; the result has every column that a member reads.
    """
    return tuple(_column(same[0]) for same in by_name(encodings).values())


def by_name(encodings: Sequence[TableEncoding]) -> dict[str, list[Column]]:
    """Return for every column name the column of each encoding that has it."""
    every = [column for one in encodings for column in one.columns]
    longest = max(encodings, key=lambda one: len(one.columns))
    found: dict[str, list[Column]] = {one.name: [] for one in (*longest.columns, *every)}
    for one in every:
        found[one.name].append(one)
    return found


def table_signature(encodings: Sequence[TableEncoding]) -> list[tuple[str, str]]:
    """Return the name and MLflow type of every column.

    Whole numbers are ``double`` too, because a missing cell makes the column float.
    """
    return [
        (one.name, "string" if one.is_text else _TYPES[one.type])
        for one in input_columns(encodings)
    ]


def table_example(encodings: Sequence[TableEncoding], *, n: int = 3) -> dict[str, Any]:
    """Return example rows in the form of MLflow's scoring server.

    They are made up column by column from fitted statistics, so that no row of the data leaks:
    numbers are the median and the quartiles, categories the most frequent levels, dates the middle
    ones; free text is a placeholder.
    """
    columns = input_columns(encodings)
    rows = [[one.values[row % len(one.values)] for one in columns] for row in range(n)]
    return {"dataframe_split": {"columns": [one.name for one in columns], "data": rows}}


def _column(column: Column) -> InputColumn:
    """Return the input column of a fitted column."""
    if isinstance(column, NumericColumn):
        scale, plain = column.scale, column.style == "plain"
        # The quartiles of a normal distribution.
        numbers = [scale.center + step * scale.spread for step in (0.0, -0.6745, 0.6745)]
        rounded = [float(f"{number:.6g}") for number in numbers]
        written = (
            rounded if plain else [written_number(number, column.style) for number in rounded]
        )
        return InputColumn(column.name, "number", not plain, tuple(written))
    if isinstance(column, CategoryColumn):
        levels = column.levels[:3]
        if levels and set(column.levels) <= FLAGS:
            return InputColumn(
                column.name, "flag", False, tuple(level == "True" for level in levels)
            )
        return InputColumn(column.name, "category", True, levels or (None,))
    if isinstance(column, DateColumn):
        return InputColumn(column.name, "date", True, _dates(column))
    return InputColumn(column.name, "text", True, (_WORDS,))


def _dates(column: DateColumn) -> tuple[str, ...]:
    """Return the median and the quartiles of the days, in the format of the column."""
    scale = dict(column.parts).get("days")
    days = [0.0] if scale is None else [scale.center + s * scale.spread for s in (0, -0.67, 0.67)]
    # Clamped to the years that can be written; whole days if the format has only days.
    unit = 86_400 if "%H" in column.form or "%I" in column.form else 1
    moments = [
        np.datetime64(int(np.clip(day, -25_000, 47_000) * unit), "s" if unit > 1 else "D")
        for day in days
    ]
    form = "%Y-%m-%d" if column.form == "ISO8601" else column.form
    return tuple(moment.item().strftime(form) for moment in moments)
