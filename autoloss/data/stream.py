"""Reading of a table in chunks, in order and in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from autoloss.core.errors import InputError
from autoloss.data.arrow import series_of, whole_series_of
from autoloss.data.delimited import DelimitedFile, open_delimited
from autoloss.data.feather_claim import check_feather
from autoloss.data.frames import Table, as_text, unique_names
from autoloss.data.marks import without_text_marks
from autoloss.data.messages import one_line
from autoloss.data.parquet import check_claim
from autoloss.data.read import Source, file_form, load_table
from autoloss.data.values import MISSING, label_of

# Rows of a piece: a multiple of the rows that a classifier computes at once.
PIECE_ROWS = 1 << 16
Batches = Iterator[Any]


@dataclass(frozen=True)
class RowStream:
    """A table that is read in chunks.

    Args:
        label: Its name in messages.
        names: Its column names, unique.
        is_text: Whether all cells are text, as in a delimited file.
        read: Maps the positions of columns to an iterator over Arrow batches of these.
        about: Number of rows, an estimate for a delimited file; None if unknown.
    """

    label: str
    names: tuple[str, ...]
    is_text: bool
    read: Callable[[Sequence[int]], Batches]
    about: int | None = None

    def pieces(self, names: Sequence[str], *, rows: int = PIECE_ROWS) -> Iterator[Any]:
        """Yield Arrow tables of some columns, all of `rows` rows but the last.

        The cells of a piece do not depend on where other pieces end.

        Args:
            names: The columns, in order; all must exist.
            rows: Rows of a piece.

        Raises:
            InputError: The file cannot be read to its end, or has no rows.
        """
        place_of = {name: place for place, name in enumerate(self.names)}
        places = [place_of[name] for name in names]
        waiting: list[Any] = []
        held, total = 0, 0
        for batch in self._guarded(places):
            table = pa.table(list(batch.columns), names=list(names))
            waiting.append(table)
            held += table.num_rows
            total += table.num_rows
            if held >= rows:
                joined = pa.concat_tables(waiting, promote_options="permissive")
                for start in range(0, held - rows + 1, rows):
                    yield joined.slice(start, rows)
                waiting = [joined.slice(held - held % rows)]
                held %= rows
        if not total:
            raise InputError(f"{self.label} must have rows, but it has a header only.")
        if held:
            yield pa.concat_tables(waiting, promote_options="permissive")

    def frames(self, names: Sequence[str], *, rows: int = PIECE_ROWS) -> Iterator[pd.DataFrame]:
        """Yield the `pieces` as frames."""
        for piece in self.pieces(names, rows=rows):
            yield frame_of(piece)

    def _guarded(self, places: Sequence[int]) -> Batches:
        """Yield the batches; an Arrow error on a broken file becomes an InputError of one line."""
        try:
            for batch in self.read(places):
                batch.validate(full=True)
                yield batch
        except (pa.ArrowException, OSError, UnicodeError) as error:
            raise InputError(
                f"{self.label} cannot be read to its end: {one_line(error)}"
            ) from error


def frame_of(piece: Any) -> pd.DataFrame:
    """Return an Arrow table with unique names as a frame."""
    columns = zip(piece.column_names, piece.columns, strict=True)
    return pd.DataFrame({name: series_of(cells) for name, cells in columns})


def open_rows(source: Source) -> RowStream:
    """Open a table for reading in chunks; the source is as for `read_table`.

    Memory never holds delimited text, Parquet or Feather as a whole; it holds other formats whole.

    Raises:
        InputError: The source is not there or holds no table.
    """
    form = file_form(source)
    if form == "delimited":
        file = open_delimited(Path(str(source)).expanduser(), label=str(source))
        names = tuple(unique_names(list(file.header))[0])
        return RowStream(str(source), names, True, partial(_text_rows, file), file.rows_about)
    if form in ("Parquet", "Feather"):
        opener = _open_parquet if form == "Parquet" else _open_feather
        path = Path(str(source)).expanduser()
        try:
            return opener(path, label=str(source))
        except (pa.ArrowException, OSError, ValueError) as error:
            raise InputError(
                f"{source} must be a {form} file, but it cannot be read as one: {one_line(error)}"
            ) from error
    table = load_table(source)
    columns = {str(name): _cells_of(table.frame[name]) for name in table.frame.columns}
    whole = pa.table(columns)
    return RowStream(
        table.label,
        tuple(whole.column_names),
        False,
        lambda places: iter(whole.select(list(places)).to_batches(PIECE_ROWS)),
        whole.num_rows,
    )


def exact_column(table: Table, name: str) -> pd.Series:
    """Return a column of labels or groups as its file spells it.

    Floats and flags do not keep the spelling: `1.1` and `1.10` are one float, two keys of twenty
    digits may be, and `true` becomes True.

    Args:
        table: The table.
        name: Its column.

    Returns:
        Text of a delimited file or whole numbers of another, where the file is read once more;
        else the column of the table.
    """
    own = table.frame[name]
    is_flag = own.dtype.kind == "b"
    if table.path is None or own.dtype.kind not in "bf" or name in table.styles:
        return own
    rows = open_rows(table.path)
    if name not in rows.names or (is_flag and not rows.is_text):
        return own
    parts = [whole_series_of(piece.column(0)) for piece in rows.pieces([name])]
    cells = pd.concat(parts, ignore_index=True)
    if len(cells) != len(own) or (is_flag and cells.nunique() > own.nunique()):
        # True, TRUE and true are one label.
        return own
    return cells.where(own.notna() if is_flag else np.isfinite(own))


def _cells_of(series: pd.Series) -> Any:
    """Return a column as Arrow has it; cells of several types become text."""
    if getattr(series.dtype, "tz", None) is not None:
        series = series.dt.tz_convert("UTC").dt.tz_localize(None)
    try:
        return pa.array(series, from_pandas=True)
    except (pa.ArrowException, OverflowError):
        return pa.array(series.map(label_of, na_action="ignore"), pa.string(), from_pandas=True)


def _text_rows(file: DelimitedFile, places: Sequence[int]) -> Batches:
    """Yield the rows of delimited text, with missing cells in place of their marks."""
    for batch in file.rows(places):
        cells = [without_text_marks(column, MISSING) for column in batch.columns]
        yield pa.record_batch(cells, names=batch.schema.names)


def _open_parquet(path: Path, *, label: str) -> RowStream:
    """Open a Parquet file, whose row groups are read one after the other."""
    with parquet.ParquetFile(path) as opened:
        check_claim(opened, path)
        raw, about = list(opened.schema_arrow.names), opened.metadata.num_rows
    names, kept = _stored(raw)

    def read(places: Sequence[int]) -> Batches:
        wanted = [raw[kept[place]] for place in places]
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(PIECE_ROWS, columns=wanted):
                yield batch.select(wanted)

    if len(set(raw)) < len(raw):
        with parquet.ParquetFile(path) as file:
            return _whole(file.read(), label, names, kept)
    return RowStream(label, names, False, read, about)


def _open_feather(path: Path, *, label: str) -> RowStream:
    """Open a Feather file, whose batches are read one after the other."""
    from pyarrow import feather

    check_feather(path)
    try:
        with pa.memory_map(str(path)) as file:
            stored = pa.ipc.open_file(file)
            raw, batches = list(stored.schema.names), stored.num_record_batches
            about = batches * stored.get_batch(0).num_rows if batches else 0
    except pa.ArrowInvalid:
        # The first version of the format has no batches.
        table = feather.read_table(path)
        return _whole(table, label, *_stored(list(table.column_names)))
    names, kept = _stored(raw)

    def read(places: Sequence[int]) -> Batches:
        with pa.memory_map(str(path)) as file:
            opened = pa.ipc.open_file(file)
            for number in range(opened.num_record_batches):
                batch = opened.get_batch(number).select([kept[place] for place in places])
                yield batch

    return RowStream(label, names, False, read, about)


def _whole(table: Any, label: str, names: tuple[str, ...], kept: list[int]) -> RowStream:
    """Return a stream of a table in memory."""
    return RowStream(
        label,
        names,
        False,
        lambda places: iter(
            pa.table(
                [table.column(kept[place]) for place in places], [str(place) for place in places]
            ).to_batches(PIECE_ROWS)
        ),
        table.num_rows,
    )


def _stored(raw: list[str]) -> tuple[tuple[str, ...], list[int]]:
    """Return the names and places of the columns without a frame's index."""
    kept = [place for place, name in enumerate(raw) if not name.startswith("__index_level_")]
    return tuple(unique_names([as_text(raw[place]) for place in kept])[0]), kept
