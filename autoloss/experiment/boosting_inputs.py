"""The inputs of gradient boosting: numbers unchanged, levels as codes, no text."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from autoloss.data.categories import CategoryColumn
from autoloss.data.dates import date_parts, parse_moments
from autoloss.data.kinds import kind_of
from autoloss.data.numbers import parse_numbers
from autoloss.data.values import values_of

FloatArray = npt.NDArray[np.floating]
# Codes 0 to 254: scikit-learn's histograms have 255 bins.
_LEVELS = 254


@dataclass(frozen=True)
class BoostingInputs:
    """The columns that gradient boosting uses, typed by the training rows.

    Args:
        numbers: Name and style of the columns of numbers.
        dates: Name and format of the columns of dates.
        levels: Columns of levels.
        texts: Names of the columns of free text, which are left out.
    """

    numbers: tuple[tuple[str, str], ...]
    dates: tuple[tuple[str, str], ...]
    levels: tuple[CategoryColumn, ...]
    texts: tuple[str, ...]

    @classmethod
    def fit(cls, frame: pd.DataFrame) -> BoostingInputs:
        """Type the columns of training rows, as they were read."""
        typed = {name: kind_of(str(name), frame[name]) for name in frame.columns}

        def detailed(kind: str) -> tuple[tuple[str, str], ...]:
            return tuple((name, one.detail) for name, one in typed.items() if one.kind == kind)

        levels = [
            CategoryColumn.fit(name, one.values.text, kind=one.kind)
            for name, one in typed.items()
            if one.kind in ("categorical", "boolean")
        ]
        texts = tuple(name for name, _ in detailed("text"))
        return cls(detailed("numeric"), detailed("date"), tuple(levels), texts)

    @property
    def is_empty(self) -> bool:
        """Return whether no column is left to learn from."""
        return not (self.numbers or self.dates or self.levels)

    def of(self, frame: pd.DataFrame) -> tuple[FloatArray, list[bool]]:
        """Return numbers and codes (NaN if missing), and a flag for each column of codes.

        Shape:
            result (N, F), (F,).
        """
        numbers = [_numbers(frame[name], style)[:, None] for name, style in self.numbers]
        dates = [_dates(frame[name], form) for name, form in self.dates]
        codes = [_codes(column, frame[column.name])[:, None] for column in self.levels]
        parts = [*numbers, *dates, *codes]
        is_code = [
            place >= len(numbers) + len(dates)
            for place, part in enumerate(parts)
            for _ in range(part.shape[1])
        ]
        return np.concatenate(parts, axis=1), is_code


def _numbers(series: pd.Series, style: str) -> FloatArray:
    found = values_of(series)
    if found.form in ("nothing", "number"):
        return np.asarray(pd.to_numeric(found.data, errors="coerce"), dtype=np.float64)
    return parse_numbers(found.text, style)


def _dates(series: pd.Series, form: str) -> FloatArray:
    found = values_of(series)
    if found.form == "nothing":
        when = pd.Series(np.full(len(series), np.datetime64("NaT", "s")))
    else:
        when = found.data if found.form == "date" else parse_moments(found.text, form)
    return np.stack(list(date_parts(when).values()), axis=1)


def _codes(column: CategoryColumn, series: pd.Series) -> FloatArray:
    """Return the codes of levels: 0 for rare and unseen levels, NaN for missing cells."""
    block = column.encode(series)
    if block.codes is None:
        raise TypeError(f"Column {column.name!r} must have codes.")
    codes = block.codes[:, 0].astype(np.float64)
    # A missing cell without its own code shares the code of the rare levels.
    is_missing = values_of(series).text.isna().to_numpy()
    # The most frequent levels have the lowest codes.
    return np.where(is_missing, np.nan, np.where(codes > _LEVELS, 0.0, codes))
