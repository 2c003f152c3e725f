"""The table of a file of delimited text; labels made of digits stay text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from autoloss.data.arrow import series_of
from autoloss.data.decimal_mark import decimal_mark, has_groups, is_mixed
from autoloss.data.delimited import read_cells
from autoloss.data.frames import Table, as_table, unique_names
from autoloss.data.marks import without_text_marks
from autoloss.data.options import NO_OPTIONS, DataOptions
from autoloss.data.text_file import GUESSED
from autoloss.data.values import MISSING

# A leading zero marks the digits as a label: a postcode, a product number, a hash.
_LABEL = r"^[+-]?0[0-9xX]"
_FIRST = 2_000


def read_delimited(
    path: Path, *, label: str, options: DataOptions = NO_OPTIONS, like: Table | None = None
) -> Table:
    """Read a table of delimited text.

    Args:
        path: The file.
        label: Its name in messages.
        options: The user's options for its cells.
        like: The table that this file has more rows of, or None for a separate table.

    Returns:
        The table; empty cells and marks such as ``NA`` or ``?`` are missing.

    Raises:
        InputError: The file is binary, or a row has more or fewer cells than the header.
    """
    file, cells = read_cells(path, label=label)
    names, _ = unique_names(list(file.header))
    heads = (_known(column[:_FIRST], options.marks) for column in cells.columns)
    mark = options.decimal or (like.decimal if like else decimal_mark(heads))
    columns, styles, notes = [], {}, []
    marks: set[str] = set()
    if file.encoding in GUESSED:
        notes.append(
            f"{label} was read as {file.encoding}; save it as UTF-8 if letters look wrong."
        )
    for name, column in zip(names, cells.columns, strict=True):
        text = _known(column, options.marks)
        marks |= _marks_in(column, options.marks)
        style = _style_like(name, like) if like else _whole_style(text, mark, file.delimiter)
        if style == "comma":
            styles[name] = style
            if not like:
                notes.append(_points_read(name, text, are_groups=True, is_sure=mark == ","))
            text = pc.replace_substring(text, ".", "")
        elif style is None and not mark and not like and _is_doubtful(text):
            notes.append(_points_read(name, text, are_groups=False))
        columns.append(pd.Series(text.to_pandas()) if style == "text" else typed(text))
    frame = pd.concat(columns, axis=1) if columns else pd.DataFrame()
    table = as_table(frame, label=label, names=file.header, notes=tuple(notes))
    return replace(table, decimal=mark, styles=styles, marks=frozenset(marks))


def _known(cells: Any, marks: Sequence[str]) -> Any:
    """Turn marks of missing cells into missing cells."""
    return without_text_marks(cells, (*MISSING, *marks))


def _marks_in(cells: Any, marks: Sequence[str]) -> set[str]:
    """Return the marks that occur in a column."""
    return set(pc.unique(cells).to_pylist()) & set(marks) if marks else set()


def _style_like(name: str, like: Table) -> str | None:
    """Return the style of a column in the other table: "text" if that table has words."""
    if name in like.styles:
        return like.styles[name]
    is_text = name in like.frame.columns and like.frame[name].dtype.kind not in "biufc"
    return "text" if is_text else None


def _whole_style(text: Any, mark: str | None, delimiter: str) -> str | None:
    """Return "comma" for whole numbers with points for thousands, else None."""
    if mark == "." or (mark is None and delimiter != ";"):
        return None
    present = text.drop_null()
    if not len(present) or not has_groups(present):
        return None
    return "comma" if mark == "," or is_mixed(present) else None


def _is_doubtful(text: Any) -> bool:
    """Return whether a column may have points for thousands without other evidence."""
    present = text.drop_null()
    return bool(len(present)) and has_groups(present) and is_mixed(present)


def _points_read(name: str, text: Any, *, are_groups: bool, is_sure: bool = False) -> str:
    """Return a note on the reading of points that may be decimal marks or separate thousands."""
    present = text.drop_null()
    example = present.filter(pc.match_substring(present, "."))[0].as_py()
    number = example.replace(".", "") if are_groups else example
    read = f"{name!r}: {example!r} was read as {number}"
    if is_sure:
        return f"{read}, because the decimal mark of the table is a comma."
    other, mark = ("are decimal marks", ".") if are_groups else ("divide thousands", ",")
    return f"{read}; if points {other}, give --decimal {mark}."


def typed(text: Any) -> pd.Series:
    """Convert a column of text to integers, floats or booleans if that loses nothing.

    Args:
        text: An Arrow array of strings, without blanks around them.
    """
    present = text.drop_null()
    if len(present) == 0:
        return pd.Series([float("nan")] * len(text), dtype="float64")
    numbers = _numbers(text, present)
    if numbers is not None:
        return series_of(numbers)
    if _all_flags(present[:1000]) and _all_flags(present):
        flags = pd.Series(pc.equal(pc.utf8_lower(text), "true").to_pandas())
        return flags.astype("boolean") if text.null_count else flags
    return pd.Series(text.to_pandas())


def _numbers(text: Any, present: Any) -> Any:
    """Return text as integers or else floats, or None if some cells are words."""
    if pc.any(pc.match_substring_regex(present[:1000], _LABEL)).as_py():
        return None
    for kind in (pa.int64(), pa.float64()):
        try:
            # The first cells rule out most columns of words at no cost.
            bare = [pc.utf8_ltrim(cells, characters="+") for cells in (present[:1000], text)]
            bare[0].cast(kind)
            found = bare[1].cast(kind)
        except pa.ArrowInvalid:
            continue
        return None if pc.any(pc.match_substring_regex(present, _LABEL)).as_py() else found
    return None


def _all_flags(text: Any) -> bool:
    """Return whether every cell is the word true or false, in any case."""
    return bool(
        pc.all(pc.is_in(pc.utf8_lower(text), value_set=pa.array(["true", "false"]))).as_py()
    )
