"""Numbers in text columns: their style, and the words that mean a missing number."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from autoloss.data.marks import MARKERS
from autoloss.data.numbers import CURRENCY, STYLES, Floats, parse_numbers, unit_pattern

_SAMPLE = 200
# The largest number of unlisted words, and their largest share of the cells.
_STRAYS, _SELDOM, _OFTEN, _ONE = 3, 0.02, 0.1, 0.5
_MOST_MARKERS = 20
# With this many distinct numbers, other words can only mean a missing number.
_MANY = 20
_UNIT = r"\d[.,]?\s*([^\W\d_][\w/.·²³^°]{0,11}|[°µ\"'][\w/]{0,5})$"
_AFFIX = rf"\d[.,]?\s*(?:[^\W\d_]|[%°µ\"'])|{CURRENCY}"
_WHOLE = 0.98
_PLAIN = re.compile(r"[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d+)?")


@dataclass(frozen=True)
class NumberText:
    """The style of numbers in a text column.

    Args:
        style: See `parse_numbers`.
        markers: Its words that mean a missing number, the most frequent first.
        example: A cell that was read as a number despite its spelling, or an empty string.
    """

    style: str
    markers: tuple[str, ...] = ()
    example: str = ""


def find_style(text: pd.Series, *, decimal: str | None = None) -> str | None:
    """Return the style in which a column of text is numbers, or None if it is not.

    Args:
        text: Stripped text, some of it not missing.
        decimal: The decimal mark of the table, if known.
    """
    found = find_numbers(text, decimal=decimal)
    return None if found is None else found.style


def find_numbers(
    text: pd.Series, *, decimal: str | None = None, is_asked: bool = False
) -> NumberText | None:
    """Return the number style of a text column, or None if it does not hold numbers.

    A number with a leading zero is a label, and a single such cell makes it a column of labels.
    Known markers of a missing number ("-", "n.a.", "unknown") may occur in any share of the
    cells. Other words must be few: three words in at most 2 % of the cells or, beside twenty
    distinct numbers, three words in 10 % or one word in half of the cells.

    Args:
        text: Stripped text, some of it not missing.
        decimal: The decimal mark of the table, if known; it settles ambiguous cells (1.258).
        is_asked: Whether the user declares the column numeric, whatever words it contains.
    """
    counts = text.dropna().value_counts()
    cells = pd.Series(counts.index, dtype="string")
    is_marker = cells.str.lower().isin(MARKERS).to_numpy(dtype=bool)
    rest, weights = cells[~is_marker], counts.to_numpy()[~is_marker].astype(np.float64)
    if len(rest) == 0 or (not is_asked and rest.str.fullmatch(r"[+-]?0\d+").any()):
        return None
    if not is_asked and rest[:_SAMPLE].str.contains(r"\d").mean() <= 0.5:
        # The most frequent cells rule out most columns of words.
        return None
    best: tuple[int, str, Floats] | None = None
    for style in _styles(rest, weights, decimal, is_asked=is_asked):
        is_long = len(rest) > 4 * _SAMPLE and not is_asked
        if is_long and np.isnan(parse_numbers(rest[:_SAMPLE], style)).mean() > 0.5:
            continue
        numbers = parse_numbers(rest, style)
        failed = np.isnan(numbers)
        if not (is_asked or _are_strays(numbers, failed, weights)) or failed.all():
            continue
        if best is None or failed.sum() < best[0]:
            best = (int(failed.sum()), style, numbers)
        if not failed.any():
            break
    if best is None:
        return None
    _, style, numbers = best
    failed = np.isnan(numbers)
    words = [*cells[is_marker], *rest[failed]]
    order = {str(cell): place for place, cell in enumerate(cells)}
    markers = tuple(sorted(map(str, words), key=order.__getitem__)[:_MOST_MARKERS])
    return NumberText(style, markers, _example(rest[~failed]))


def _are_strays(numbers: Floats, failed: np.ndarray, weights: Floats) -> bool:
    """Return whether the words are few enough to mean missing numbers."""
    n_words, n_numbers = int(failed.sum()), len(np.unique(numbers[~failed]))
    if n_words > _STRAYS or n_numbers == 0:
        return False
    share = weights[failed].sum() / weights.sum()
    if share <= _SELDOM:
        return True
    return n_numbers >= _MANY and share <= (_ONE if n_words == 1 else _OFTEN)


def _styles(
    cells: pd.Series, weights: Floats, decimal: str | None, *, is_asked: bool
) -> Iterable[str]:
    """Yield the styles to try, the table's decimal mark first, with the unit if there is one."""
    bases = ("comma", "plain", "thousands") if decimal == "," else tuple(STYLES)
    unit = _unit_of(cells, weights)
    if unit is None or (is_asked and not unit):
        yield from bases
    elif unit:
        yield from (f"{base} {unit}" for base in bases)


def _unit_of(cells: pd.Series, weights: Floats) -> str | None:
    """Return the unit of the cells: None if no cell has a unit, "" if units differ.

    Only zeros may lack the unit or percent sign of other cells: beside ``12%`` the meaning of
    ``0.12`` is unknown, and beside ``12A`` the number ``12`` is another label.
    """
    if not cells[:_SAMPLE].str.contains(_AFFIX).any():
        return None
    if cells.str.extract(rf"({CURRENCY})", expand=False).nunique() > 1:
        return ""

    def covers(those: pd.Series) -> bool:
        zero = cells.str.fullmatch(r"[+-]?0+(?:[.,]0*)?")
        return bool(weights[_true(those | zero)].sum() >= _WHOLE * weights.sum())

    percent = cells.str.endswith("%")
    if percent.any():
        return None if covers(percent) else ""
    units = cells.str.extract(_UNIT, expand=False)
    units = units.mask(cells.str.fullmatch(r"[+-]?[\d.,]+[eE][+-]?\d+"))
    units = units.mask(cells.str.contains(rf"{CURRENCY}$"))
    has_unit = _true(units.notna())
    if weights[has_unit].sum() <= _SELDOM * weights.sum():
        return None
    usual = str(pd.Series(weights).groupby(np.asarray(units.astype(object))).sum().idxmax())
    return usual if covers(cells.str.contains(unit_pattern(usual))) else ""


def _true(flags: pd.Series) -> np.ndarray:
    """Return flags as an array, false if missing."""
    return flags.fillna(False).to_numpy(dtype=bool)


def _example(cells: pd.Series) -> str:
    """Return a cell with more than digits and a decimal mark, or an empty string."""
    for cell in map(str, cells[: 10 * _SAMPLE]):
        if not _PLAIN.fullmatch(cell):
            return cell
    return ""
