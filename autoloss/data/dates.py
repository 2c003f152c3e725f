"""Dates and times: found in text by a fixed list of formats, encoded as numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autoloss.data.blocks import Block
from autoloss.data.numbers import Scale
from autoloss.data.values import moments, seconds, values_of
from autoloss.errors import InputError

_DAYS = (
    "%m/%d/%Y",
    "%d/%m/%Y",
    "%d.%m.%Y",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%d %b %Y",
    "%d-%b-%Y",
    "%b %d, %Y",
    "%d %B %Y",
    "%B %d, %Y",
)
_TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
_LOOKS_LIKE = (
    r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[ T].*)?"
    r"|\d{1,2}[- ]\w{3,9}[- ]\d{4}.*|\w{3,9} \d{1,2}, \d{4}.*"
)
_ISO = r"\d{4}-\d{2}-\d{2}(?:[ T]\d{2}:\d{2}.*)?"
_ENOUGH = 0.98
# Sines that are the same but for rounding would else be told apart by bins of no width.
DIGITS = 9


def parse_moments(text: pd.Series, form: str) -> pd.Series:
    """Read text as moments in one format, missing where a cell does not follow it.

    Args:
        text: Stripped text.
        form: ``"ISO8601"`` or a format of `strftime`.
    """
    codes, unique = pd.factorize(text)
    cells = pd.Series(unique, dtype="string").astype(object)
    read = moments(pd.to_datetime(cells, format=form, errors="coerce", utc=True)).to_numpy()
    return pd.Series(np.append(read, np.datetime64("NaT", "s"))[codes], index=text.index)


def find_format(text: pd.Series) -> str | None:
    """Return the format in which at least 98 % of a column of text are dates, or None.

    Args:
        text: Stripped text, some of it not missing.
    """
    cells = pd.Series(pd.unique(text.dropna()), dtype="string")
    sample = cells.sample(min(len(cells), 200), random_state=0)
    if sample.str.fullmatch(_LOOKS_LIKE).mean() < _ENOUGH:
        return None
    iso = ["ISO8601"] if sample.str.fullmatch(_ISO).mean() >= _ENOUGH else []
    for form in [*iso, *(day + time for day in _DAYS for time in _TIMES)]:
        if parse_moments(sample, form).notna().mean() < _ENOUGH:
            continue
        if parse_moments(cells, form).notna().mean() >= _ENOUGH:
            return form
    return None


def date_parts(when: pd.Series) -> dict[str, NDArray[np.float64]]:
    """Return what a network can learn from moments: days since 1970, and the cycles on a circle.

    Args:
        when: Moments, datetime64[s].

    Returns:
        Part to values, NaN where the moment is missing.

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
    """Return numbers as float64, NaN where missing."""
    return np.asarray(series.to_numpy(dtype="float64", na_value=np.nan), dtype=np.float64)


@dataclass(frozen=True)
class DateColumn:
    """A column of dates or times.

    Args:
        name: Its name.
        form: The format of its text, ``"ISO8601"`` where it came as moments.
        parts: The parts that vary, each with its scaling.
    """

    name: str
    form: str
    parts: tuple[tuple[str, Scale], ...]
    kind = "date"

    @classmethod
    def fit(cls, name: str, when: pd.Series, *, form: str = "ISO8601") -> DateColumn:
        """Fit to the training rows."""
        parts = []
        for part, values in date_parts(when).items():
            present = values[~np.isnan(values)]
            if np.ptp(present) > 1e-9:
                parts.append((part, Scale.fit(values)))
        return cls(name, form, tuple(parts))

    def encode(self, series: pd.Series) -> Block:
        """Return the parts of a column as standardised numbers, NaN where missing."""
        found = values_of(series)
        if found.form == "nothing":
            when = pd.Series(np.full(len(series), np.datetime64("NaT", "s")))
        elif found.form == "date":
            when = found.data
        else:
            when = parse_moments(found.text, self.form)
            if not when.notna().any():
                example = str(found.text.dropna().iloc[0])[:60]
                raise InputError(
                    f"Column {self.name!r} must hold dates as in training ({self.form}), but got"
                    f" {example!r}."
                )
        parts = date_parts(when)
        numeric = np.stack([scale(parts[part]) for part, scale in self.parts], axis=1)
        return Block(len(series), numeric=numeric)

    def to_dict(self) -> dict[str, Any]:
        """Return the state as plain values."""
        parts = [[part, scale.center, scale.spread] for part, scale in self.parts]
        return {"name": self.name, "form": self.form, "parts": parts}

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> DateColumn:
        """Return the column of a state."""
        parts = tuple((part, Scale(center, spread)) for part, center, spread in state["parts"])
        return cls(state["name"], state["form"], parts)
