"""New images for a model."""

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
        data: A table, a list of paths, images or texts, or an array of images.
        column: The column of the images or texts.
    """
    if isinstance(data, list | tuple | np.ndarray):
        return pd.DataFrame({column: pd.Series(list(data), dtype=object)})
    return read_table(data)


class CellReader:
    """Reads the images of a column, or other cells, for a model; see `RowReader`.

    Args:
        column: The column.
    """

    def __init__(self, column: str) -> None:
        self._column = column
        self._base: Path | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Return the column."""
        return (self._column,)

    def frames(self, data: Frame | str | Path) -> Iterator[pd.DataFrame]:
        """Yield the images of a folder, a file, a table, or a list of paths or arrays."""
        if isinstance(data, str | Path):
            yield from self.open(data).frames(self.names, rows=_AT_ONCE)
        else:
            yield frame_of_cells(data, self.names[0])

    def open(self, data: str | Path) -> RowStream:
        """Return the rows of a folder or a file; their paths start there."""
        rows, self._base = open_pictures(data, self._column)
        return rows

    def labelled(self, data: Frame | str | Path) -> tuple[Table, Any]:
        """Return the table of a folder, a file of arrays, or a table, and its images."""
        found = load_pictures(data, DataOptions(images=self._column))
        cells = [str(cell) if isinstance(cell, Path) else cell for cell in found.cells]
        return found.table, pd.DataFrame({self._column: pd.Series(cells, dtype=object)})

    def check(self, *, label: str, remedy: str) -> None:
        """Return: a cell that cannot be read was refused at once."""

    @property
    def note(self) -> str:
        """Return nothing: every cell was read."""
        return ""


class ImageReader(CellReader):
    """Reads images for each of several encodings, which read them alike.

    Args:
        encodings: The distinct encodings.
    """

    def __init__(self, encodings: Sequence[ImageEncoding]) -> None:
        super().__init__(encodings[0].column)
        self._encodings = encodings

    def encode(self, frame: pd.DataFrame, *, label: str = "DATA") -> list[ImageInputs]:
        """Return the images of a table for each encoding."""
        # All encodings of a model have one size; each network has its own mean.
        cells = [cell_of(value, label=label, base=self._base) for value in frame[self._column]]
        inputs = self._encodings[0].encode(cells, label)
        return [inputs for _ in self._encodings]
