"""Dates and times: recognised in text by a fixed list of formats and encoded as numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autoloss.data.blocks import Block, cells_of
from autoloss.data.categories import NEARLY_ALL
from autoloss.data.marks import MARKERS, without_marks
from autoloss.data.numbers import Scale
from autoloss.data.values import moments, seconds, values_of

_DAYS = (
    *("%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y.%m.%d"),
    *("%d %b %Y", "%d-%b-%Y", "%b %d, %Y", "%d %B %Y", "%B %d, %Y"),
    *("%m/%d/%y", "%d/%m/%y", "%d.%m.%y", "%d-%m-%y", "%m-%d-%y", "%y-%m-%d", "%y/%m/%d"),
    *("%d %b %y", "%d-%b-%y", "%b %d, %y"),
)
_TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
_CLOCK = (
    *("%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p", "%I:%M%p"),
    # More than 24 before the colon: minutes and seconds.
    *("%M:%S", "%M:%S.%f"),
)
_TIME = r"\d{1,2}:\d{2}(?::\d{2})?(?:\.\d+)?(?: ?[AaPp][Mm])?"
_LOOKS_LIKE = (
    r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[ T].*)?"
    r"|\d{1,2}[- ]\w{3,9}[- ]\d{2,4}(?: .*)?|\w{3,9} \d{1,2}, \d{2,4}(?: .*)?"
    rf"|{_TIME}"
)
_ISO = r"\d{4}-\d{2}-\d{2}(?:[ T]\d{2}:\d{2}.*)?"
# A year needs two digits at least: shorter numbers belong to chapters or versions.
_SHORT_YEAR = r"\d{1,2}[-/.]\d{1,2}[-/.]\d(?: .*)?"
_ENOUGH = 0.98
# Without rounding, bins of no width would separate sines that differ by rounding error.
DIGITS = 9


def parse_moments(text: pd.Series, form: str) -> pd.Series:
    """Parse text as moments in the given format; other cells become missing.

    Args:
        text: Stripped text.
        form: ``"ISO8601"`` or a format of `strftime`.
    """
    codes, unique = pd.factorize(text)
    cells = pd.Series(unique, dtype="string")
    # Pandas also accepts "now" and "today" as moments.
    cells = cells.where(cells.str.contains(r"\d").fillna(False)).astype(object)
    read = moments(pd.to_datetime(cells, format=form, errors="coerce", utc=True)).to_numpy()
    return pd.Series(np.append(read, np.datetime64("NaT", "s"))[codes], index=text.index)


def find_format(text: pd.Series, *, day_first: bool = False) -> str | None:
    """Return the date format that at least 98 % of the cells follow, or None.

    Args:
        text: Stripped text, with a cell at least; words such as "unknown" do not count.
        day_first: Whether 02/03/2024 is in March, if all cells are ambiguous.
    """
    cells = pd.Series(pd.unique(text.dropna()), dtype="string")
    cells = cells[~cells.str.lower().isin(MARKERS)]
    sample = cells.sample(min(len(cells), 200), random_state=0)
    if len(cells) == 0 or sample.str.fullmatch(_LOOKS_LIKE).mean() < _ENOUGH:
        return None
    if sample.str.fullmatch(_SHORT_YEAR).any():
        return None
    best: tuple[float, int] | None = None
    found = None
    for form in _candidates(sample, day_first=day_first):
        if parse_moments(sample, form).notna().mean() < _ENOUGH:
            continue
        when = parse_moments(cells, form).dropna()
        if len(when) < _ENOUGH * len(cells):
            continue
        # The narrower range of years wins: 18-05-20 is in 2018 beside cells of 2018 to 2020.
        # Ties go to the first format: 02/03/2024 is a day under two formats.
        years = when.dt.year
        score = (len(when) / len(cells), int(years.min() - years.max()))
        if best is None or score > best:
            best, found = score, form
    return found


def _candidates(sample: pd.Series, *, day_first: bool) -> list[str]:
    """Return the formats with the punctuation of a sample, the likely formats first."""
    iso = ["ISO8601"] if sample.str.fullmatch(_ISO).mean() >= _ENOUGH else []
    marks = set(sample.str.replace(r"\w", "", regex=True))
    forms = [*_CLOCK, *(day + time for day in _DAYS for time in _TIMES)]
    near = [form for form in forms if re.sub(r"%\w", "", form) in marks]
    near.sort(key=lambda form: day_first and form.startswith(("%m/%d", "%m-%d")))
    return [*iso, *near]


def date_parts(when: pd.Series) -> dict[str, NDArray[np.float64]]:
    """Return the features of moments: days since 1970, and sine and cosine of each cycle.

    Args:
        when: Moments, datetime64[s].

    Returns:
        Values of each part, NaN if the moment is missing.

    Shape:
        values (N,).
    """
    days = seconds(when) / 86_400.0
    parts = {"days": days}
    cycles = {
        "month": (_floats(when.dt.month) - 1.0) / 12.0,
        "weekday": _floats(when.dt.day_of_week) / 7.0,
        "time": days - np.floor(days),
    }
    for name, turn in cycles.items():
        angle = np.asarray(2.0 * np.pi * turn, dtype=np.float64)
        parts[f"{name}.sin"] = np.sin(angle).round(DIGITS)
        parts[f"{name}.cos"] = np.cos(angle).round(DIGITS)
    return parts


def _floats(series: pd.Series) -> NDArray[np.float64]:
    """Return numbers as float64, NaN if missing."""
    return np.asarray(series.to_numpy(dtype="float64", na_value=np.nan), dtype=np.float64)


@dataclass(frozen=True)
class DateColumn:
    """A column of dates or times.

    Args:
        name: Its name.
        form: The format of its text, ``"ISO8601"`` if its cells were moments.
        parts: The parts that vary, each with its scaling.
        marks: Marks of missing cells that the user names.
        varies: Whether the column is not nearly constant in the training rows.
    """

    name: str
    form: str
    parts: tuple[tuple[str, Scale], ...]
    marks: tuple[str, ...] = ()
    varies: bool = True
    kind = "date"

    @classmethod
    def fit(cls, name: str, when: pd.Series, *, form: str = "ISO8601") -> DateColumn:
        """Fit to the training rows."""
        parts = []
        for part, values in date_parts(when).items():
            present = values[~np.isnan(values)]
            if np.ptp(present) > 1e-9:
                parts.append((part, Scale.fit(values)))
        counts = when.value_counts(dropna=False)
        varies = bool(len(when) and counts.max() < NEARLY_ALL * len(when))
        return cls(name, form, tuple(parts), varies=varies)

    def encode(self, series: pd.Series) -> Block:
        """Return the parts of a column as standardised numbers, NaN if missing."""
        when, unusable = self.read(series)
        parts = date_parts(when)
        numeric = np.stack([scale(parts[part]) for part, scale in self.parts], axis=1)
        return Block(len(series), numeric=numeric, unusable=cells_of(self.name, unusable))

    def read(self, series: pd.Series) -> tuple[pd.Series, NDArray[np.bool_]]:
        """Return the moments of a column, and a mask of the cells that hold no moment."""
        found = values_of(without_marks(series, self.marks))
        if found.form == "nothing":
            when = pd.Series(np.full(len(series), np.datetime64("NaT", "s")))
        elif found.form == "date":
            when = found.data
        else:
            text = found.text
            when = parse_moments(text, self.form)
            is_none = text.isna() | text.str.lower().isin(MARKERS)
            return when, (~is_none & when.isna()).to_numpy(dtype=bool)
        return when, np.zeros(len(series), dtype=bool)

    def to_dict(self) -> dict[str, Any]:
        """Return the state as plain values for JSON."""
        parts = [[part, scale.center, scale.spread] for part, scale in self.parts]
        return {
            "name": self.name,
            "form": self.form,
            "parts": parts,
            "marks": list(self.marks),
            "varies": self.varies,
        }

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> DateColumn:
        """Return the column from its stored state."""
        parts = tuple((part, Scale(center, spread)) for part, center, spread in state["parts"])
        marks = tuple(state.get("marks", ()))
        return cls(state["name"], state["form"], parts, marks, state.get("varies", True))
