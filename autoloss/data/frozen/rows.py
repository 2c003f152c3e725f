"""New pictures or texts for a model of frozen features."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from autoloss.data.exchange import Frame
from autoloss.data.frames import Table
from autoloss.data.frozen.encode import FrozenEncoding
from autoloss.data.frozen.inputs import VectorInputs
from autoloss.data.images.rows import frame_of_cells
from autoloss.data.images.sources import load_pictures, open_pictures
from autoloss.data.options import DataOptions
from autoloss.data.read import load_table
from autoloss.data.stream import RowStream, open_rows

_AT_ONCE = 4_096


class FrozenReader:
    """Reads pictures or texts for each of several encodings by one network; see `RowReader`.

    Args:
        encodings: The distinct encodings.
    """

    def __init__(self, encodings: Sequence[FrozenEncoding]) -> None:
        self._encodings = encodings
        self._first = encodings[0]
        self._base: Path | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Return the column of the pictures or texts."""
        return (self._first.column,)

    def frames(self, data: Frame | str | Path) -> Iterator[pd.DataFrame]:
        """Yield the rows of a source."""
        if isinstance(data, str | Path):
            yield from self.open(data).frames(self.names, rows=_AT_ONCE)
        else:
            yield frame_of_cells(data, self.names[0])

    def open(self, data: str | Path) -> RowStream:
        """Return the rows of a folder or a file."""
        if self._first.seen == "texts":
            return open_rows(data)
        rows, self._base = open_pictures(data, self._first.column)
        return rows

    def labelled(self, data: Frame | str | Path) -> tuple[Table, Any]:
        """Return a table, and the rows to read for predictions."""
        if self._first.seen == "texts":
            return load_table(data), data
        column = self._first.column
        found = load_pictures(data, DataOptions(images=column))
        cells = [str(cell) if isinstance(cell, Path) else cell for cell in found.cells]
        return found.table, pd.DataFrame({column: pd.Series(cells, dtype=object)})

    def encode(self, frame: pd.DataFrame, *, label: str = "DATA") -> list[VectorInputs]:
        """Return the rows for each encoding; their vectors are computed once."""
        vectors = self._first.vectors(frame, label=label, base=self._base)
        return [one.standard(vectors) for one in self._encodings]

    def check(self, *, label: str, remedy: str) -> None:
        """Return: what cannot be read was refused at once."""

    @property
    def note(self) -> str:
        """Return nothing: every row was read."""
        return ""
