"""New pictures for a model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from autoloss.data.exchange import Frame
from autoloss.data.frames import Table
from autoloss.data.images.encode import ImageEncoding, cell_of
from autoloss.data.images.inputs import ImageInputs
from autoloss.data.images.sources import load_pictures, open_pictures
from autoloss.data.options import DataOptions
from autoloss.data.read import read_table
from autoloss.data.stream import RowStream

_AT_ONCE = 4_096


def frame_of_cells(data: Any, column: str) -> pd.DataFrame:
    """Return rows in memory as a table: a list has the cells of the only column.

    Args:
        data: A table, a list of paths, pictures or texts, or an array of pictures.
        column: The column of the pictures or texts.
    """
    if isinstance(data, list | tuple | np.ndarray):
        return pd.DataFrame({column: pd.Series(list(data), dtype=object)})
    return read_table(data)


class ImageReader:
    """Reads pictures for each of several encodings, which read them alike; see `RowReader`.

    Args:
        encodings: The distinct encodings.
    """

    def __init__(self, encodings: Sequence[ImageEncoding]) -> None:
        self._encodings = encodings
        self._base: Path | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Return the column of the pictures."""
        return (self._encodings[0].column,)

    def frames(self, data: Frame | str | Path) -> Iterator[pd.DataFrame]:
        """Yield the pictures of a folder, a file, a table, or a list of paths or arrays."""
        if isinstance(data, str | Path):
            yield from self.open(data).frames(self.names, rows=_AT_ONCE)
        else:
            yield frame_of_cells(data, self.names[0])

    def open(self, data: str | Path) -> RowStream:
        """Return the rows of a folder or a file; their paths start there."""
        rows, self._base = open_pictures(data, self._encodings[0].column)
        return rows

    def labelled(self, data: Frame | str | Path) -> tuple[Table, Frame]:
        """Return the table of a folder, a file of arrays, or a table, and its pictures."""
        column = self._encodings[0].column
        found = load_pictures(data, DataOptions(images=column))
        cells = [str(cell) if isinstance(cell, Path) else cell for cell in found.cells]
        return found.table, pd.DataFrame({column: pd.Series(cells, dtype=object)})

    def encode(self, frame: pd.DataFrame, *, label: str = "DATA") -> list[ImageInputs]:
        """Return the pictures of a table for each encoding."""
        # All encodings of a model have one size; each network has its own mean.
        first = self._encodings[0]
        cells = [cell_of(value, label=label, base=self._base) for value in frame[first.column]]
        inputs = first.encode(cells, label)
        return [inputs for _ in self._encodings]

    def check(self, *, label: str, remedy: str) -> None:
        """Return: a picture that cannot be read was refused at once."""

    @property
    def note(self) -> str:
        """Return nothing: every picture was read."""
        return ""
