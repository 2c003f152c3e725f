"""Marks of missing cells: the user's marks, and the usual words among numbers and dates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

# Words that mean a missing value in a column of numbers or dates, in lower case.
_WORDS = r"""
- -- --- . .. ... : * ** _ / \ \n ? ?? ??? – — ─ <> na n/a n.a. n.a n/a. n/d n.d. nd nan -nan none
null nil nul (null) <null> [null] (none) <none> <na> (na) [na] missing (missing) unknown (unknown)
unk undefined undef unspecified unavailable empty (empty) blank (blank) void tbd tba nodata no_data
not_available #n/a #na #div/0! #value! #ref! #num! #name? #null! #error! -1.#ind 1.#ind 1.#qnan
-1.#qnan 1.#inf -1.#inf <lod <loq <dl <mdl bdl lod loq k.a.
"""
_PHRASES = (
    *("#n/a n/a", "no data", "no value", "no answer", "not available", "not applicable"),
    *("not known", "not measured", "not reported", "k. a.", "n. a."),
)
MARKERS = frozenset((*_WORDS.split(), *_PHRASES))


def without_marks(series: pd.Series, marks: tuple[str, ...]) -> pd.Series:
    """Return a column in which cells that equal a mark are missing.

    Args:
        series: A column of any type.
        marks: The marks; a numeric mark also matches other spellings of the number.
    """
    if not marks:
        return series
    types = pd.api.types
    if types.is_bool_dtype(series.dtype) or types.is_complex_dtype(series.dtype):
        return series
    numbers = [number for number in map(_as_number, marks) if number is not None]
    if types.is_numeric_dtype(series.dtype):
        is_mark = series.isin(numbers)
    elif isinstance(series.dtype, pd.CategoricalDtype):
        known = [one for one in series.cat.categories if _is_mark(one, marks, numbers)]
        is_mark = series.isin(known)
    elif isinstance(series.dtype, pd.StringDtype):
        text = series.str.strip()
        is_mark = text.isin(marks).fillna(False).astype(bool)
        if numbers:
            is_mark |= pd.to_numeric(text, errors="coerce").isin(numbers)
    elif types.is_object_dtype(series.dtype) or types.is_string_dtype(series.dtype):
        is_mark = pd.Series(
            [_is_mark(cell, marks, numbers) for cell in series], index=series.index, dtype=bool
        )
    else:
        return series
    if not is_mark.any():
        return series
    if types.is_integer_dtype(series.dtype):
        # Floats would lose digits of large integers.
        series = series.astype("Int64" if series.dtype.kind == "i" else "UInt64")
    return series.mask(is_mark)


def without_list_marks(
    cells: Sequence[Any], marks: tuple[str, ...]
) -> tuple[list[list[Any] | None], frozenset[str]]:
    """Return lists in which values that equal a mark are None, and the marks that were found.

    Args:
        cells: Lists, or text as a list of letters; None if missing.
        marks: The marks; a numeric mark also matches other spellings of the number.

    Examples:
        >>> without_list_marks([["a", "?"], None], ("?",))
        ([['a', None], None], frozenset({'?'}))
    """
    found: set[str] = set()
    known: dict[Any, str | None] = {}

    def mark_of(value: Any) -> str | None:
        if not isinstance(value, str | int | float):
            return None
        if value not in known:
            numbers = {
                mark: [number] for mark in marks if (number := _as_number(mark)) is not None
            }
            known[value] = next(
                (mark for mark in marks if _is_mark(value, (mark,), numbers.get(mark, []))), None
            )
        return known[value]

    kept: list[list[Any] | None] = []
    for cell in cells:
        if cell is None:
            kept.append(None)
            continue
        own = [mark_of(value) for value in cell]
        found.update(mark for mark in own if mark is not None)
        kept.append([None if mark else value for value, mark in zip(cell, own, strict=True)])
    return kept, frozenset(found)


def without_text_marks(cells: Any, marks: Sequence[str]) -> Any:
    """Return an Arrow array of text in which cells that equal a mark are missing."""
    if not marks:
        return cells
    return pc.if_else(pc.is_in(cells, value_set=pa.array(list(marks), cells.type)), None, cells)


def _is_mark(cell: object, marks: tuple[str, ...], numbers: list[float]) -> bool:
    if isinstance(cell, str):
        return cell.strip() in marks or _as_number(cell) in numbers
    return isinstance(cell, int | float) and not isinstance(cell, bool) and cell in numbers


def _as_number(mark: str) -> float | None:
    try:
        return float(mark)
    except ValueError:
        return None
