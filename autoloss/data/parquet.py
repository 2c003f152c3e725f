"""Parquet, a few columns at a time: the file and its table are never in memory together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from autoloss.core.unpacking import SMALL, check_size
from autoloss.data.arrow import needs_whole, series_of

_CELLS_AT_ONCE = 1 << 23
# Bytes of a cell, about, and times the size of a file that its cells may take.
_CELL_BYTES, _RATIO = 8, 1_000
# From this many rows on, a text that occurs so often on average is stored once, with its places.
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
        check_claim(file, path)
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


def check_claim(file: Any, path: Path) -> None:
    """Refuse a file whose rows take very much more than the file.

    A column of equal cells takes next to nothing in the file.

    Args:
        file: The open file.
        path: Its path.

    Raises:
        Overpacked: It is one.
    """
    about, packed = file.metadata, path.stat().st_size
    check_size(about.num_rows * about.num_columns * _CELL_BYTES, packed, ratio=_RATIO)
    # A long text that occurs often is in the file once.
    chunks = [
        (group, about.row_group(group).column(place))
        for place in range(about.num_columns)
        if about.schema.column(place).physical_type == "BYTE_ARRAY"
        for group in range(about.num_row_groups)
    ]
    if sum(one.num_values * one.total_uncompressed_size for _, one in chunks) > SMALL:
        for lengths in (_at_most, _in_all):
            size = sum(lengths(path, group, one) for group, one in chunks)
            if size <= max(SMALL, _RATIO * packed):
                return
        check_size(size, packed, ratio=_RATIO)


def _at_most(path: Path, group: int, chunk: Any) -> int:
    """Return the most bytes of the texts of a column in a group of rows."""
    words = _words(path, group, chunk, rows=1)
    longest = max((_longest(one.dictionary) for one in words), default=0)
    return int(chunk.num_values * longest)


def _in_all(path: Path, group: int, chunk: Any) -> int:
    """Return the bytes of the texts of a column in a group of rows."""
    import pyarrow.compute as pc

    size = 0
    for words in _words(path, group, chunk, rows=_CELLS_AT_ONCE):
        lengths = pc.cast(pc.binary_length(words.dictionary), "int64")
        size += pc.sum(pc.take(lengths, words.indices)).as_py() or 0
    return size


def _longest(texts: Any) -> int:
    import pyarrow.compute as pc

    return pc.max(pc.binary_length(texts)).as_py() or 0


def _words(path: Path, group: int, chunk: Any, *, rows: int) -> Iterator[Any]:
    """Yield cells of a column as places in a list of its texts: all, or the first alone."""
    from pyarrow import parquet

    name = chunk.path_in_schema
    with parquet.ParquetFile(path, read_dictionary=[name]) as file:
        for batch in file.iter_batches(rows, row_groups=[group], columns=[name]):
            cells = batch.column(0)
            if hasattr(cells, "dictionary"):
                yield cells
            if rows == 1:
                return


def as_frame(table: Any) -> pd.DataFrame:
    """Return an Arrow table under numbers as names, each column in its own memory.

    Raises:
        pyarrow.ArrowInvalid: Its file is broken.
    """
    # Conversion would follow wrong offsets out of the memory of a column.
    table.validate(full=True)
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
