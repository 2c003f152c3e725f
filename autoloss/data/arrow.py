"""Arrow's columns as those of pandas, without a digit lost."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

# Beyond it float64, which pandas takes where a whole number is missing, skips numbers.
_EXACT = 1 << 53


def series_of(cells: Any) -> pd.Series:
    """Return a column; whole numbers that float64 cannot hold stay whole beside missing ones.

    Args:
        cells: An Arrow array.
    """
    return whole_series_of(cells) if needs_whole(cells) else pd.Series(cells.to_pandas())


def whole_series_of(cells: Any) -> pd.Series:
    """Return a column; whole numbers stay whole beside missing ones, however short they are.

    Args:
        cells: An Arrow array.
    """
    if not pa.types.is_integer(cells.type) or not cells.null_count:
        return pd.Series(cells.to_pandas())
    whole: Any = pd.UInt64Dtype() if pa.types.is_unsigned_integer(cells.type) else pd.Int64Dtype()
    return pd.Series(whole.__from_arrow__(cells))


def needs_whole(cells: Any) -> bool:
    """Return whether whole numbers would change if missing ones made them floats."""
    if not pa.types.is_integer(cells.type) or not cells.null_count:
        return False
    ends = pc.min_max(cells).as_py()
    return any(end is not None and abs(end) > _EXACT for end in ends.values())
