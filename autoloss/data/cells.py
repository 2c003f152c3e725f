"""Cells of a piece of a table as the encoding reads them, one by one, whatever stands beside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from autoloss.data.categories import CategoryColumn
from autoloss.data.dates import DateColumn, parse_moments
from autoloss.data.encode import Column
from autoloss.data.marks import without_text_marks
from autoloss.data.messages import one_line
from autoloss.data.numbers import NumericColumn, parse_numbers
from autoloss.data.values import values_of
from autoloss.errors import InputError

FLAGS = frozenset({"True", "False"})


class CellReader:
    """Brings one column, piece by piece, into the type that its encoding had in training.

    Which type a whole column of text would be taken for depends on all of its cells; here each is
    read by what training found, so that a row's prediction does not depend on other rows.

    Args:
        columns: What was fitted of the column, by each encoding that reads it.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self.name = columns[0].name
        self._column: Column | None = columns[0]
        if len({_way(column) for column in columns}) > 1:
            # Each encoding reads the cells in its own way.
            self._column = None
        self._example, self._read_any = "", False

    def read(self, cells: Any) -> pd.Series:
        """Return the cells of a piece.

        Args:
            cells: An Arrow array.
        """
        column = self._column
        if column is not None and _is_text(cells):
            # As moments or flags, they would not be known any more.
            cells = without_text_marks(cells, column.marks)
        if isinstance(column, NumericColumn):
            return self._numbers(cells, column)
        series = pd.Series(cells.to_pandas())
        if isinstance(column, DateColumn):
            found = values_of(series)
            if found.form in ("nothing", "date"):
                return series
            return self._noted(found.text, parse_moments(found.text, column.form))
        if isinstance(column, CategoryColumn) and set(column.levels) <= FLAGS:
            return as_flags(series)
        return series

    def check(self) -> None:
        """Check, after the last piece, that not all cells were something else than in training.

        Raises:
            InputError: None could be read.
        """
        if self._example and not self._read_any:
            what = "numbers" if isinstance(self._column, NumericColumn) else "dates"
            form = f" ({self._column.form})" if isinstance(self._column, DateColumn) else ""
            raise InputError(
                f"Column {self.name!r} must hold {what}{form}, as in training, but got"
                f" {self._example!r}."
            )

    def _numbers(self, cells: Any, column: NumericColumn) -> pd.Series:
        """Return numbers, missing where a cell is none."""
        if _is_text(cells) and not column.style.startswith("comma"):
            try:
                # The usual case, in a tenth of the time: no word, no unit, no grouping.
                numbers = pc.utf8_ltrim(cells, characters="+").cast(pa.float64())
            except pa.ArrowInvalid:
                pass
            else:
                self._read_any = True
                return pd.Series(numbers.to_pandas().astype("float64"))
        found = values_of(pd.Series(cells.to_pandas()))
        if found.form in ("nothing", "number"):
            self._read_any |= found.form == "number"
            return found.data
        return self._noted(found.text, pd.Series(parse_numbers(found.text, column.style)))

    def _noted(self, text: pd.Series, values: pd.Series) -> pd.Series:
        """Return what was read of a text, after a look at whether any was."""
        self._read_any = self._read_any or bool(values.notna().any())
        if not self._example:
            self._example = one_line(text.dropna().iloc[0])[:60]
        return values.set_axis(text.index)


def _is_text(cells: Any) -> bool:
    """Return whether an Arrow array is of text."""
    return bool(pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type))


def _way(column: Column) -> tuple[str, str]:
    """Return what decides how the cells of a column are read."""
    detail = getattr(column, "style", None) or getattr(column, "form", "")
    return type(column).__name__, str(detail)


def as_flags(series: pd.Series) -> pd.Series:
    """Return flags as true and false, also those that came as words of any case, or as 0 and 1."""
    if pd.api.types.is_bool_dtype(series.dtype):
        return series
    found = values_of(series)
    text = found.text.astype("string").str.lower()
    # Other words stay what they are: levels that training did not see.
    words = found.text.mask(text.isin(["true", "1"]).fillna(False), "True")
    words = words.mask(text.isin(["false", "0"]).fillna(False), "False")
    return pd.Series(np.asarray(words.astype(object)), index=series.index)
