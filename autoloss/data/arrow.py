"""Conversion of Arrow columns to pandas without loss of digits."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

# Beyond this limit float64, the type of a pandas column with missing integers, is not exact.
_EXACT = 1 << 53


def series_of(cells: Any) -> pd.Series:
    """Convert a column; integers that float64 cannot hold stay integers beside missing cells.

    Args:
        cells: An Arrow array.
    """
    return whole_series_of(cells) if needs_whole(cells) else pd.Series(cells.to_pandas())


def whole_series_of(cells: Any) -> pd.Series:
    """Convert a column; all integers stay integers beside missing cells.

    Args:
        cells: An Arrow array.
    """
    if not pa.types.is_integer(cells.type) or not cells.null_count:
        return pd.Series(cells.to_pandas())
    whole: Any = pd.UInt64Dtype() if pa.types.is_unsigned_integer(cells.type) else pd.Int64Dtype()
    return pd.Series(whole.__from_arrow__(cells))


def needs_whole(cells: Any) -> bool:
    """Return whether integers would change if missing cells turned them into floats."""
    if not pa.types.is_integer(cells.type) or not cells.null_count:
        return False
    ends = pc.min_max(cells).as_py()
    return any(end is not None and abs(end) > _EXACT for end in ends.values())
