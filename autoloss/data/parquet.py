"""Parquet, a few columns at a time: the file and its table never stand in memory together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

_CELLS_AT_ONCE = 1 << 23


def read_parquet(path: Path) -> tuple[list[str], pd.DataFrame]:
    """Return the names of the columns of a Parquet file, and its rows under numbers as names.

    What is read is what a reader of the whole file gives.

    Args:
        path: The file.
    """
    import pyarrow as pa
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        names = list(file.schema_arrow.names)
        # A name with a dot may also be a path into a column of parts.
        is_plain = len(set(names)) == len(names) and not any("." in name for name in names)
        at_once = max(1, _CELLS_AT_ONCE // max(file.metadata.num_rows, 1))
        if not is_plain or at_once >= len(names):
            return names, as_frame(file.read())
        parts = []
        for start in range(0, len(names), at_once):
            parts.append(as_frame(file.read(columns=names[start : start + at_once])))
            pa.default_memory_pool().release_unused()
    frame = pd.concat(parts, axis=1)
    frame.columns = pd.RangeIndex(frame.shape[1]).astype(str)
    return names, frame


def as_frame(table: Any) -> pd.DataFrame:
    """Return an Arrow table under numbers as names, each column in memory of its own."""
    columns = [str(i) for i in range(table.num_columns)]
    frame: pd.DataFrame = table.rename_columns(columns).to_pandas(
        ignore_metadata=True, split_blocks=True
    )
    return frame
