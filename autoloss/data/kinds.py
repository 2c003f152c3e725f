"""The kind of a column, inferred from its training rows alone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from autoloss.core.errors import InputError
from autoloss.data.dates import find_format, parse_moments
from autoloss.data.messages import one_line, plural
from autoloss.data.number_text import NumberText, find_numbers
from autoloss.data.numbers import parse_numbers
from autoloss.data.options import ISO, NO_HINTS, Hints
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
    "phone",
    "telephone",
    "iban",
    "ssn",
}
_BOOLEAN = {"true", "false", "yes", "no", "t", "f", "y", "n"}
# A cell of this many characters is text, whether or not it has spaces.
_LONG = 80
# Thai, Lao, kana and Chinese characters: a sentence of them has no spaces.
_UNSPACED = "[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]"
_UNSPACED_TEXT = 6
# Below this many rows a column of distinct values may be of any kind.
_FEW = 20
_ALL_MISSING = "no value"
_CONSTANT = "the same value everywhere"
_COUNTER = "counts the rows"
_IDENTIFIER = "an identifier"
# The pattern of dates without separators.
_DIGITS = "%Y%m%d"
_NO_TABLE = "neither numbers, dates nor text"


@dataclass(frozen=True)
class Typing:
    """The kind of a column, with its values.

    Args:
        kind: Its kind; ``"dropped"`` for an uninformative column.
        values: Its values in the type of that kind.
        detail: Style of the numbers, format of the dates, or the reason to drop the column.
        why: The reason for its kind.
        markers: Words that mean a missing number in a column of numbers.
        example: A cell that was read as a number despite its spelling.
    """

    kind: Kind
    values: Values
    detail: str = ""
    why: str = ""
    markers: tuple[str, ...] = ()
    example: str = ""


def kind_of(name: str, series: pd.Series, hints: Hints = NO_HINTS) -> Typing:
    """Infer the kind of a column.

    Args:
        name: Its name, which may show that it is an identifier.
        series: Its training rows, in the order of the data.
        hints: The user's statements on it, and facts from the whole table.

    Raises:
        InputError: It is not of the kind that the user names.
    """
    if hints.reason:
        return Typing("dropped", Values("nothing", series), hints.reason)
    values = values_of(series)
    if values.form == "nothing":
        return Typing("dropped", values, _ALL_MISSING)
    if values.form == "unusable":
        return Typing("dropped", values, _NO_TABLE)
    present = values.data.dropna()
    n_distinct = present.nunique()
    if n_distinct == 1 and len(present) == len(series):
        return Typing("dropped", values, _CONSTANT)
    if hints.kind is not None:
        return _as_asked(name, values, hints)
    if n_distinct == 1:
        # Only the presence of the value carries information.
        return Typing("boolean", values, why="there or missing")
    if hints.date_format is not None and (found := _in_format(values, hints.date_format)):
        return found
    if values.form == "number":
        reason = _identifier_in_numbers(name, values.data.to_numpy(), n_distinct)
        if reason:
            return Typing("dropped", values, reason)
        return Typing("numeric", values, hints.style, why=plural(n_distinct, "different number"))
    if values.form == "date":
        return Typing("date", values, ISO, why="dates")
    if values.form == "label":
        if n_distinct == 2 and _are_boolean(present):
            return Typing("boolean", values, why="true and false")
        return Typing("categorical", values, why=plural(n_distinct, "level"))
    return _kind_of_text(name, values, present, n_distinct, hints)


def _as_asked(name: str, values: Values, hints: Hints) -> Typing:
    """Convert a column to the kind that the user names."""
    text, why = values.text, "as asked"
    example = one_line(text.dropna().iloc[0])[:60]
    if hints.kind == "category":
        return Typing("categorical", values, why=why)
    if hints.kind == "text":
        return Typing("text", Values("text", text), why=why)
    if hints.kind == "date":
        if values.form == "date":
            return Typing("date", values, ISO, why=why)
        form = hints.date_format or find_format(text, day_first=hints.decimal == ",") or _DIGITS
        if not parse_moments(text, form).notna().any():
            raise InputError(
                f"Column {name!r} must hold dates, as asked, but got {example!r}; give their"
                " format with --date-format, such as '%d/%m/%Y'."
            )
        return Typing("date", Values("text", text), form, why=f"as asked, {form}")
    if values.form == "number":
        return Typing("numeric", values, hints.style, why=why)
    found = find_numbers(text, decimal=hints.decimal, is_asked=True)
    if found is None:
        raise InputError(
            f"Column {name!r} must hold numbers, as asked, but got {example!r}; ask for another"
            " kind with --column."
        )
    return _numeric(text, found, why=why)


def _in_format(values: Values, form: str) -> Typing | None:
    """Return a column as dates in the user's format, or None if it has no such dates."""
    # Whole numbers such as 20240131 are dates only if the format has day, month and year.
    if values.form not in ("text", "label") and (values.form != "number" or form.count("%") < 3):
        return None
    text = values.text
    if parse_moments(text, form).notna().sum() < 0.9 * text.notna().sum():
        return None
    return Typing("date", Values("text", text), form, why=f"dates as {form}")


def _numeric(text: pd.Series, found: NumberText, *, why: str = "") -> Typing:
    """Return a column of text as numbers."""
    numbers = pd.Series(parse_numbers(text, found.style), index=text.index)
    why = why or plural(numbers.nunique(), "different number")
    return Typing(
        "numeric",
        Values("number", numbers),
        found.style,
        why=f"{why}, such as {one_line(found.example)!r}" if found.example else why,
        markers=found.markers,
        example=found.example,
    )


def _kind_of_text(
    name: str, values: Values, present: pd.Series, n_distinct: int, hints: Hints
) -> Typing:
    """Infer the kind of a column of text."""
    found = find_numbers(values.data, decimal=hints.decimal)
    if found is not None:
        typing = _numeric(values.data, found)
        numbers = typing.values.data.to_numpy()
        n_numbers = len(np.unique(numbers[~np.isnan(numbers)]))
        reason = _identifier_in_numbers(name, numbers, n_numbers)
        if reason:
            return Typing("dropped", typing.values, reason)
        if n_numbers > 1:
            return typing
    if n_distinct == 2 and _are_boolean(present):
        return Typing("boolean", values, why="two words for yes and no")
    form = find_format(values.data, day_first=hints.decimal == ",")
    if form is not None:
        return Typing("date", values, form, why=f"dates as {form}")
    words, length, unspaced = _shape(present)
    share = n_distinct / len(present)
    if n_distinct >= _FEW and share >= 0.2 and (length >= _LONG or unspaced >= _UNSPACED_TEXT):
        return Typing("text", values, why=f"{length:.0f} characters a cell")
    if len(present) >= _FEW and words < 1.5:
        least = 0.5 if is_named_like_id(name) else 0.95
        if share >= least:
            return Typing("dropped", values, _IDENTIFIER)
    if n_distinct >= _FEW and (
        (words >= 2.5 and share >= 0.2) or (words >= 5 and n_distinct >= 50)
    ):
        return Typing("text", values, why=f"{words:.0f} words a cell")
    return Typing("categorical", values, why=plural(n_distinct, "different word"))


def _identifier_in_numbers(name: str, numbers: np.ndarray, n_distinct: int) -> str:
    """Return the reason to call a numeric column an identifier, or an empty string."""
    present = numbers[~np.isnan(numbers)]
    if len(present) < _FEW or not np.all(np.mod(present, 1.0) == 0.0):
        return ""
    unique = n_distinct == len(present)
    if is_named_like_id(name) and n_distinct >= 0.9 * len(present):
        return _IDENTIFIER
    if unique and len(present) == len(numbers):
        steps = np.diff(present)
        row = np.arange(len(present))
        if (np.all(steps > 0) or np.all(steps < 0)) and abs(
            np.corrcoef(row, present)[0, 1]
        ) > 0.99:
            return _COUNTER
        if len(present) >= 100 and _are_long(present):
            return _IDENTIFIER
    return ""


def _are_long(numbers: np.ndarray) -> bool:
    """Return whether numbers have the equal lengths of telephone, card and account numbers.

    A sum of money often has eight digits; seconds since 1970 have ten and are a time.
    """
    low, high = np.abs(numbers).min(), np.abs(numbers).max()
    is_time = any(unit * 0.5e9 <= low and high <= unit * 2.5e9 for unit in (1, 1e3, 1e6, 1e9))
    digits = np.floor(np.log10(max(low, 1.0))), np.floor(np.log10(max(high, 1.0)))
    return bool(digits[0] == digits[1] >= 9 and not is_time)


def is_named_like_id(name: str) -> bool:
    """Return whether the last word of a name means identifier: ``customerID``, ``user_id``."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)
    return bool(words) and words[-1].lower() in _ID_WORDS


def _are_boolean(present: pd.Series) -> bool:
    """Return whether all levels are words for yes and no."""
    return {str(level).lower() for level in present.unique()} <= _BOOLEAN


def _shape(present: pd.Series) -> tuple[float, float, float]:
    """Return means over a sample of the distinct texts.

    They are the number of words, of characters, and of characters of scripts without spaces.
    """
    cells = pd.Series(pd.unique(present), dtype="string")
    cells = cells.sample(min(len(cells), 2000), random_state=0)
    spaces, length = cells.str.count(r"\s+"), cells.str.len()
    unspaced = cells.str.count(_UNSPACED)
    return float(spaces.mean()) + 1.0, float(length.mean()), float(unspaced.mean())
