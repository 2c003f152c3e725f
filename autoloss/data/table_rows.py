"""New rows of a table for a model: cells are read alike from a frame and from any file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from autoloss.data.encode import TableEncoding
from autoloss.data.exchange import Frame
from autoloss.data.frames import Table
from autoloss.data.inputs import TableInputs
from autoloss.data.read import load_table, read_table
from autoloss.data.signature import by_name
from autoloss.data.stream import RowStream, open_rows
from autoloss.data.unusable import UnusableCount, check_found, note_of


class TableReader:
    """Reads the rows of a table for each of several encodings; see `RowReader`.

    Args:
        encodings: The distinct encodings, which may have left out different columns.
    """

    def __init__(self, encodings: Sequence[TableEncoding]) -> None:
        self._encodings = encodings
        self._count = UnusableCount(encodings)

    @property
    def names(self) -> tuple[str, ...]:
        """Return every column that an encoding reads."""
        return tuple(by_name(self._encodings))

    def frames(self, data: Frame | str | Path) -> Iterator[pd.DataFrame]:
        """Yield the rows; a file is read piece by piece, as `autoloss predict` reads it."""
        if not isinstance(data, str | Path):
            yield read_table(data)
            return
        rows = self.open(data)
        for encoding in self._encodings:
            encoding.check_columns(rows.names, label=rows.label)
        needed = set(self.names)
        yield from rows.frames([name for name in rows.names if name in needed])

    def open(self, data: str | Path) -> RowStream:
        """Return the rows of a file."""
        return open_rows(data)

    def labelled(self, data: Frame | str | Path) -> tuple[Table, Frame | str | Path]:
        """Return a table and its source, from which cells are read as in a prediction."""
        return load_table(data), data

    def encode(self, frame: pd.DataFrame, *, label: str = "DATA") -> list[TableInputs]:
        """Return a piece encoded by each encoding, and count its unusable cells.

        Raises:
            InputError: Columns are missing.
        """
        for encoding in self._encodings:
            encoding.check_columns(frame.columns, label=label)
        blocks = [encoding.block(frame) for encoding in self._encodings]
        self._count.add(frame, blocks)
        return [TableInputs.from_block(block) for block in blocks]

    def check(self, *, label: str, remedy: str) -> None:
        """Refuse rows of which a column that mattered is unusable in most."""
        check_found(self._count.found, label=label, remedy=remedy)

    @property
    def note(self) -> str:
        """Return a line on the unusable cells."""
        return note_of(self._count.found)
