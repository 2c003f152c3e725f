"""The decimal mark of a table, inferred from all its columns, and points for thousands.

``1.258`` beside ``519`` is 1258 if other columns of the table hold ``0,55``, and a number a
little above 1 if they hold ``0.55``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow.compute as pc

_SAMPLE = 100
_AROUND = r"[^\d.,]{0,8}"
_DIGITS = r"\d[\d '\x{a0}\x{2009}\x{202f}\x{2019}]*"


def _decimals(mark: str, other: str) -> str:
    """Return the pattern of unambiguous numbers under a decimal mark."""
    number = (
        rf"(?:(?:{_DIGITS})?{mark}(?:\d{{1,2}}|\d{{4,}})"
        rf"|0+{mark}\d+|{mark}\d+|\d{{4,}}{mark}\d+"
        rf"|\d{{1,3}}(?:{other}\d{{3}})+{mark}\d+|\d{{1,3}}(?:{other}\d{{3}}){{2,}})"
    )
    return rf"^{_AROUND}{number}(?:[eE][+-]?\d+)?{_AROUND}$"


_SURE = {".": _decimals(r"\.", ","), ",": _decimals(",", r"\.")}
# The pattern of all cells in a column of whole numbers with points for thousands.
_GROUPS = r"^[+-]?(?:[1-9]\d{0,2}(?:\.\d{3})+|\d{1,3})$"
# From this many numbers on, three digits behind every point are unlikely to be chance.
_SOME = 3


def decimal_mark(columns: Iterable[Any]) -> str | None:
    """Return the decimal mark that most columns show, or None if there is no majority.

    Args:
        columns: Arrow arrays of text.
    """
    votes = sum(_vote(cells) for cells in columns)
    return None if votes == 0 else "." if votes > 0 else ","


def _vote(cells: Any) -> int:
    """Return 1 if a column certainly has decimal points, -1 for commas, else 0."""
    present = cells.drop_null()[:_SAMPLE]
    return int(_any(present, _SURE["."])) - int(_any(present, _SURE[","]))


def has_groups(present: Any) -> bool:
    """Return whether all cells can, and some must, have points for thousands.

    Args:
        present: An Arrow array of text without missing cells.
    """
    sample = present[:_SAMPLE]
    if _any(sample, _SURE["."]) or not pc.all(pc.match_substring_regex(sample, _GROUPS)).as_py():
        return False
    has_point = pc.any(pc.match_substring(present, ".")).as_py()
    return bool(has_point and pc.all(pc.match_substring_regex(present, _GROUPS)).as_py())


def is_mixed(present: Any) -> bool:
    """Return whether only some cells have a point, so that three digits are not rounding."""
    pointed = pc.sum(pc.match_substring(present, ".")).as_py() or 0
    return bool(_SOME <= pointed < len(present))


def _any(cells: Any, pattern: str) -> bool:
    """Return whether any cell matches."""
    return bool(pc.any(pc.match_substring_regex(cells, pattern)).as_py())
