"""Which kind of column one is, judged by the training rows alone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from autoloss.data.dates import find_format
from autoloss.data.number_text import find_style
from autoloss.data.numbers import parse_numbers
from autoloss.data.values import Values, values_of

Kind = Literal["numeric", "categorical", "boolean", "date", "text", "dropped"]

_ID_WORDS = {
    "id",
    "ids",
    "uuid",
    "guid",
    "key",
    "index",
    "idx",
    "rowid",
    "row",
    "number",
    "nr",
    "no",
}
_BOOLEAN = {"true", "false", "yes", "no", "t", "f", "y", "n"}
# Below this many rows a column of different values can be anything.
_FEW = 20
_ALL_MISSING = "no value"
_CONSTANT = "the same value everywhere"
_COUNTER = "counts the rows"
_IDENTIFIER = "an identifier"
_NO_TABLE = "neither numbers, dates nor text"


@dataclass(frozen=True)
class Typing:
    """What a column is.

    Args:
        kind: Its kind; ``"dropped"`` where nothing can be learnt from it.
        values: Its values, read accordingly.
        detail: Style of the numbers, format of the dates, or why the column is dropped.
    """

    kind: Kind
    values: Values
    detail: str = ""


def kind_of(name: str, series: pd.Series) -> Typing:
    """Decide what a column is.

    Args:
        name: Its name, which may tell that it is an identifier.
        series: Its training rows, in the order of the data.
    """
    values = values_of(series)
    if values.form == "nothing":
        return Typing("dropped", values, _ALL_MISSING)
    if values.form == "unusable":
        return Typing("dropped", values, _NO_TABLE)
    present = values.data.dropna()
    n_distinct = present.nunique()
    if n_distinct == 1:
        if len(present) == len(series):
            return Typing("dropped", values, _CONSTANT)
        # Only whether the value is there can tell anything.
        return Typing("boolean", values)
    if values.form == "number":
        reason = _identifier_in_numbers(name, values.data.to_numpy(), n_distinct)
        return Typing("dropped", values, reason) if reason else Typing("numeric", values, "plain")
    if values.form == "date":
        return Typing("date", values, "ISO8601")
    if values.form == "label":
        boolean = n_distinct == 2 and _are_boolean(present)
        return Typing("boolean" if boolean else "categorical", values)
    return _kind_of_text(name, values, present, n_distinct)


def _kind_of_text(name: str, values: Values, present: pd.Series, n_distinct: int) -> Typing:
    """Decide what a column of text is."""
    style = find_style(values.data)
    if style is not None:
        numbers = parse_numbers(values.data, style)
        n_numbers = len(np.unique(numbers[~np.isnan(numbers)]))
        reason = _identifier_in_numbers(name, numbers, n_numbers)
        read = Values("number", pd.Series(numbers, index=values.data.index))
        if reason:
            return Typing("dropped", read, reason)
        if n_numbers > 1:
            return Typing("numeric", read, style)
    if n_distinct == 2 and _are_boolean(present):
        return Typing("boolean", values)
    form = find_format(values.data)
    if form is not None:
        return Typing("date", values, form)
    words, length = _shape(present)
    share = n_distinct / len(present)
    if len(present) >= _FEW and words < 1.5 and length < 80:
        least = 0.5 if _is_named_like_id(name) else 0.95
        if share >= least:
            return Typing("dropped", values, _IDENTIFIER)
    if n_distinct >= _FEW and (
        (words >= 2.5 and share >= 0.2) or (words >= 5 and n_distinct >= 50)
    ):
        return Typing("text", values)
    return Typing("categorical", values)


def _identifier_in_numbers(name: str, numbers: np.ndarray, n_distinct: int) -> str:
    """Return why a column of numbers identifies its rows, an empty string where it does not."""
    present = numbers[~np.isnan(numbers)]
    if len(present) < _FEW or not np.all(np.mod(present, 1.0) == 0.0):
        return ""
    unique = n_distinct == len(present)
    if _is_named_like_id(name) and n_distinct >= 0.9 * len(present):
        return _IDENTIFIER
    if unique and len(present) == len(numbers):
        steps = np.diff(present)
        row = np.arange(len(present))
        if (np.all(steps > 0) or np.all(steps < 0)) and abs(
            np.corrcoef(row, present)[0, 1]
        ) > 0.99:
            return _COUNTER
        digits = np.floor(np.log10(np.maximum(np.abs(present), 1.0)))
        # Account and telephone numbers: long, all of one length, never the same.
        if len(present) >= 100 and digits.min() == digits.max() >= 7:
            return _IDENTIFIER
    return ""


def _is_named_like_id(name: str) -> bool:
    """Return whether the last word of a name says identifier: ``customerID``, ``user_id``."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)
    return bool(words) and words[-1].lower() in _ID_WORDS


def _are_boolean(present: pd.Series) -> bool:
    """Return whether all levels are words for yes and no."""
    return {str(level).lower() for level in present.unique()} <= _BOOLEAN


def _shape(present: pd.Series) -> tuple[float, float]:
    """Return the mean number of words and of characters, over a sample of the distinct texts."""
    cells = pd.Series(pd.unique(present), dtype="string")
    cells = cells.sample(min(len(cells), 2000), random_state=0)
    return float(cells.str.count(r"\s+").mean()) + 1.0, float(cells.str.len().mean())
