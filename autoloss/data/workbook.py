"""Excel workbooks: the first sheet, its first row the header."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd

from autoloss.core.errors import InputError
from autoloss.core.unpacking import check_archive
from autoloss.data.frames import Table, as_table, typed_objects
from autoloss.data.messages import listed, one_line
from autoloss.data.values import MISSING

_EMPTY = float("nan")
_CELLS, _SPARSE, _LAST_ROW = 20_000_000, 200, 1 << 20
"""Cells of any sheet, cells of a larger sheet for each that is filled, and rows of a sheet."""


def read_workbook(path: Path, *, label: str) -> Table:
    """Read the first sheet of a workbook.

    Args:
        path: The file.
        label: Its name in messages.

    Raises:
        InputError: openpyxl is not installed, or the file is not a workbook with a table.
    """
    if find_spec("openpyxl") is None:
        raise InputError(
            f"{label} is an Excel workbook, which openpyxl reads: install it with pip install"
            " 'autoloss[excel]', or save the table as CSV."
        )
    try:
        with zipfile.ZipFile(path) as archive:
            check_archive(archive)
        # openpyxl warns of styles and rules that it leaves out.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            sheets, rows = _read(path)
    except Exception as error:
        # openpyxl, zipfile and the XML parser raise many kinds of errors on a broken workbook.
        raise InputError(
            f"{label} must be an Excel workbook, but it cannot be read as one: {one_line(error)}"
        ) from error
    cells = pd.DataFrame(rows, dtype=object)
    filled = cells.notna().any(axis=1).to_numpy().nonzero()[0]
    if len(filled) == 0:
        raise InputError(f"{label} must hold a table, but its first sheet is empty.")
    # Empty rows before the header and after the last row are not rows of the table.
    head, body = cells.iloc[filled[0]], cells.iloc[filled[0] + 1 : filled[-1] + 1]
    kept = [place for place in cells if pd.notna(head[place]) or body[place].notna().any()]
    frame = pd.DataFrame(
        {place: typed_objects(body[place].reset_index(drop=True)) for place in kept}
    )
    names = ["" if pd.isna(head[place]) else head[place] for place in kept]
    notes: tuple[str, ...] = ()
    if len(sheets) > 1:
        notes = (f"{label}: the first of {len(sheets)} sheets was read, {listed(sheets[:1])}.",)
    return as_table(frame, label=label, names=names, notes=notes)


def _read(path: Path) -> tuple[list[str], list[list[Any]]]:
    """Return the names of the sheets, and the rows of the first, without cells at their ends."""
    from openpyxl import load_workbook

    book = load_workbook(path, read_only=True, data_only=True, keep_links=False)
    try:
        sheet = book.worksheets[0]
        # The dimensions that a file declares may be wrong.
        sheet.reset_dimensions()
        return [str(one.title) for one in book.worksheets], _rows(sheet.rows)
    finally:
        book.close()


def _rows(found: Iterable[Iterable[Any]]) -> list[list[Any]]:
    """Return the values of rows, as far as the last row with a value.

    Raises:
        ValueError: A cell stands so far out that nearly all cells of the table would be empty.
    """
    rows: list[list[Any]] = []
    empty = width = filled = 0
    for row in found:
        values = [_value(cell) for cell in row]
        while values and values[-1] is _EMPTY:
            values.pop()
        if not values:
            empty += 1
        else:
            rows += [[] for _ in range(empty)]
            rows.append(values)
            empty, width = 0, max(width, len(values))
            filled += sum(value is not _EMPTY for value in values)
        most = max(_CELLS, _SPARSE * filled)
        if (len(rows) + empty) * max(width, 1) > most or len(rows) + empty > _LAST_ROW:
            raise ValueError(
                f"a cell stands in row {len(rows) + empty:,} or column {width:,}, but only"
                f" {filled:,} cells are filled"
            )
    return [values + [_EMPTY] * (width - len(values)) for values in rows]


def _value(cell: Any) -> Any:
    """Return the value of a cell."""
    value = cell.value
    if value is None or cell.data_type == "e" or (isinstance(value, str) and value in MISSING):
        return _EMPTY
    if cell.data_type == "n" and isinstance(value, float) and value.is_integer():
        return int(value)
    return value
