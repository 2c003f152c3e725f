"""Cells in the spelling of their file, for columns that floats do not represent exactly."""

from __future__ import annotations

import numpy as np
import pandas as pd

from autoloss.data.arrow import whole_series_of
from autoloss.data.frames import Table
from autoloss.data.stream import open_rows


def as_written(table: Table, name: str) -> pd.Series:
    """Return a column of labels or groups without loss.

    A file's numbers are floats where one has a point or is missing, or has too many digits:
    ``1.1`` and ``1.10`` are the same then, and so are two keys of twenty digits.

    Args:
        table: The table.
        name: Its column.

    Returns:
        Text, or whole numbers, where the file is read once more; else the column as it was read.
    """
    own = table.frame[name]
    if table.path is None or own.dtype.kind != "f" or name in table.styles:
        return own
    rows = open_rows(table.path)
    if name not in rows.names:
        return own
    parts = [whole_series_of(piece.column(0)) for piece in rows.pieces([name])]
    cells = pd.concat(parts, ignore_index=True)
    is_number = np.isfinite(own.to_numpy(dtype="float64", na_value=np.nan))
    return cells.where(is_number) if len(cells) == len(own) else own
