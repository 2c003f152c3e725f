"""Excel workbooks: the first sheet, its first row the header."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from pathlib import Path

import pandas as pd

from autoloss.core.errors import InputError
from autoloss.data.frames import Table, as_table, typed_objects
from autoloss.data.messages import listed, one_line
from autoloss.data.values import MISSING


def read_workbook(path: Path, *, label: str) -> Table:
    """Read the first sheet of a workbook.

    Args:
        path: The file.
        label: Its name in messages.

    Raises:
        InputError: openpyxl is not installed, or the file is no workbook with a table.
    """
    if find_spec("openpyxl") is None:
        raise InputError(
            f"{label} is an Excel workbook, which openpyxl reads: install it with pip install"
            " 'autoloss[excel]', or save the table as CSV."
        )
    try:
        # openpyxl warns of styles and rules that it leaves out.
        with warnings.catch_warnings(), pd.ExcelFile(path, engine="openpyxl") as book:
            warnings.simplefilter("ignore")
            sheets = [str(name) for name in book.sheet_names]
            cells = book.parse(
                0, header=None, dtype=object, keep_default_na=False, na_values=list(MISSING)
            )
    except Exception as error:
        # openpyxl, zipfile and the XML parser raise many kinds of errors on a broken workbook.
        raise InputError(
            f"{label} must be an Excel workbook, but it cannot be read as one: {one_line(error)}"
        ) from error
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
