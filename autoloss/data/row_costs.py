"""The cost of each row, read from its column."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autoloss.core.errors import InputError
from autoloss.data.frames import Table
from autoloss.data.messages import one_line


def row_costs(table: Table, column: str) -> NDArray[np.float64]:
    """Return the cost of each row, by which the costs of its decisions are multiplied.

    Args:
        table: The table.
        column: The column.

    Raises:
        InputError: The table lacks it, or a cell is not a number of 0 or more.

    Shape:
        result (rows of the table,).
    """
    if column not in table.frame.columns:
        raise InputError(
            f"{table.label} must have the column {column!r} with the cost of each row, but lacks"
            " it: add it."
        )
    cells = table.frame[column]
    costs = pd.to_numeric(cells, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    wrong = ~(np.isfinite(costs) & (costs >= 0.0))
    if wrong.any():
        row = int(wrong.argmax())
        raise InputError(
            f"Column {column!r} of {table.label} must have a cost of 0 or more in every row, but"
            f" row {row + 1} has {one_line(cells.iloc[row])!r}; correct it, or leave the row out."
        )
    if not costs.any():
        raise InputError(
            f"Column {column!r} of {table.label} must have a cost above 0, but all are 0."
        )
    return np.asarray(costs, dtype=np.float64)
