"""Parquet, a few columns at a time: the file and its table never stand in memory together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from autoloss.data.arrow import needs_whole, series_of

_CELLS_AT_ONCE = 1 << 23
# From so many rows on, a text that occurs so often on average is stored once, with its places.
_MANY_ROWS, _REPEATED = 500_000, 50


def read_parquet(path: Path) -> tuple[list[str], pd.DataFrame]:
    """Return the names of the columns of a Parquet file, and its rows under numbers as names.

    The result is the same as from a reader of the whole file.

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
            table = file.read(columns=names[start : start + at_once])
            parts.append(_with_words(as_frame(table), table))
            del table
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
    whole = {
        name: series_of(cells)
        for name, cells in zip(columns, table.columns, strict=True)
        if needs_whole(cells)
    }
    return frame.assign(**whole) if whole else frame


def _with_words(frame: pd.DataFrame, table: Any) -> pd.DataFrame:
    """Return a frame whose columns of words, of many rows, hold each different word once."""
    import pyarrow as pa

    if len(frame) < _MANY_ROWS:
        return frame
    columns = {}
    for name, cells in zip(frame.columns, table.columns, strict=True):
        columns[name] = frame[name]
        if pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type):
            words = cells.dictionary_encode().unify_dictionaries()
            if len(words.chunk(0).dictionary) * _REPEATED <= len(frame):
                columns[name] = pd.Series(pd.arrays.ArrowExtensionArray(words.combine_chunks()))  # type: ignore[attr-defined,unused-ignore]
    return pd.DataFrame(columns, copy=False)
