"""The decimal mark of a table, told by the cells of all its columns, and points for thousands.

``1.258`` beside ``519`` is 1258 where other columns of the table say ``0,55``, and a number a
little above 1 where they say ``0.55``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow.compute as pc

_SAMPLE = 100
_AROUND = r"[^\d.,]{0,8}"
_DIGITS = r"\d[\d '\x{a0}\x{2009}\x{202f}\x{2019}]*"


def _decimals(mark: str, other: str) -> str:
    """Return what a number is that has but one reading, under a decimal mark."""
    number = (
        rf"(?:(?:{_DIGITS})?{mark}(?:\d{{1,2}}|\d{{4,}})"
        rf"|0+{mark}\d+|{mark}\d+|\d{{4,}}{mark}\d+"
        rf"|\d{{1,3}}(?:{other}\d{{3}})+{mark}\d+|\d{{1,3}}(?:{other}\d{{3}}){{2,}})"
    )
    return rf"^{_AROUND}{number}(?:[eE][+-]?\d+)?{_AROUND}$"


_SURE = {".": _decimals(r"\.", ","), ",": _decimals(",", r"\.")}
# All that a column of whole numbers with points for thousands can hold.
_GROUPS = r"^[+-]?(?:[1-9]\d{0,2}(?:\.\d{3})+|\d{1,3})$"
# Numbers with three digits behind the point from which on it may be no chance.
_SOME = 3


def decimal_mark(columns: Iterable[Any]) -> str | None:
    """Return the decimal mark that most columns show, None where none or as many show the other.

    Args:
        columns: Arrow arrays of text.
    """
    votes = sum(_vote(cells) for cells in columns)
    return None if votes == 0 else "." if votes > 0 else ","


def _vote(cells: Any) -> int:
    """Return 1 where a column has a decimal point for sure, -1 for a comma, else 0."""
    present = cells.drop_null()[:_SAMPLE]
    return int(_any(present, _SURE["."])) - int(_any(present, _SURE[","]))


def has_groups(present: Any) -> bool:
    """Return whether all cells can be whole numbers with points for thousands, and some must.

    Args:
        present: An Arrow array of text without missing cells.
    """
    sample = present[:_SAMPLE]
    if _any(sample, _SURE["."]) or not pc.all(pc.match_substring_regex(sample, _GROUPS)).as_py():
        return False
    has_point = pc.any(pc.match_substring(present, ".")).as_py()
    return bool(has_point and pc.all(pc.match_substring_regex(present, _GROUPS)).as_py())


def is_mixed(present: Any) -> bool:
    """Return whether some cells have a point and some have none: three digits are no rounding."""
    pointed = pc.sum(pc.match_substring(present, ".")).as_py() or 0
    return bool(_SOME <= pointed < len(present))


def _any(cells: Any, pattern: str) -> bool:
    """Return whether any cell matches."""
    return bool(pc.any(pc.match_substring_regex(cells, pattern)).as_py())
