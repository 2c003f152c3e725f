"""New images or texts for a model of frozen features."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from autoloss.data.exchange import Frame
from autoloss.data.frames import Table
from autoloss.data.frozen.encode import FrozenEncoding
from autoloss.data.frozen.inputs import VectorInputs
from autoloss.data.images.rows import CellReader
from autoloss.data.read import load_table
from autoloss.data.stream import RowStream, open_rows


class FrozenReader(CellReader):
    """Reads images or texts for each of several encodings by one network.

    Args:
        encodings: The distinct encodings.
    """

    def __init__(self, encodings: Sequence[FrozenEncoding]) -> None:
        super().__init__(encodings[0].column)
        self._encodings = encodings
        self._first = encodings[0]

    def open(self, data: str | Path) -> RowStream:
        """Return the rows of a folder or a file."""
        return open_rows(data) if self._first.seen == "texts" else super().open(data)

    def labelled(self, data: Frame | str | Path) -> tuple[Table, Any]:
        """Return a table, and the rows to read for predictions."""
        if self._first.seen == "texts":
            return load_table(data), data
        return super().labelled(data)

    def encode(self, frame: pd.DataFrame, *, label: str = "DATA") -> list[VectorInputs]:
        """Return the rows for each encoding; their vectors are computed once."""
        vectors = self._first.vectors(frame, label=label, base=self._base)
        return [one.standard(vectors) for one in self._encodings]
