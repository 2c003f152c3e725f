"""New examples for a model: a data set, a loader, tensors, or a table of arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from torch import Tensor

from autoloss.data.exchange import Frame
from autoloss.data.frames import Table
from autoloss.data.read import read_table
from autoloss.data.stream import RowStream, open_rows
from autoloss.data.tensors.encode import TensorEncoding
from autoloss.data.tensors.given import is_given, is_place
from autoloss.data.tensors.inputs import TensorInputs
from autoloss.data.tensors.sources import load_tensors

_AT_ONCE = 4_096


class TensorReader:
    """Reads examples for the encodings of a model, which are all alike; see `RowReader`.

    Args:
        encodings: The distinct encodings.
    """

    def __init__(self, encodings: Sequence[TensorEncoding]) -> None:
        self._encodings = encodings
        self._inputs: TensorInputs | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Return the tensors of an example."""
        return tuple(leaf.name for leaf in self._encodings[0].schema.leaves)

    def frames(self, data: Frame | str | Path) -> Iterator[pd.DataFrame]:
        """Yield the examples; those that a program holds as numbers, which `encode` looks up."""
        is_bare = isinstance(data, Tensor | np.ndarray | Mapping)
        if is_bare or is_given(data) or is_place(data):
            yield self._numbered(data)
        else:
            yield read_table(data)

    def open(self, data: str | Path) -> RowStream:
        """Return the rows of a file, or the examples of ``MODULE:NAME`` or ``FILE.py:NAME``."""
        if not is_place(str(data)):
            return open_rows(data)
        whole = pa.Table.from_pandas(self._numbered(str(data)), preserve_index=False)
        return RowStream(
            str(data),
            self.names,
            False,
            lambda places: iter(whole.select(list(places)).to_batches(_AT_ONCE)),
            whole.num_rows,
        )

    def labelled(self, data: Frame | str | Path) -> tuple[Table, Any]:
        """Return the labels of the examples, and the same examples to predict."""
        if not (is_given(data) or is_place(data)):
            return Table(read_table(data), "DATA"), data
        return load_tensors(data, like=self._encodings[0]).table, data

    def encode(self, frame: pd.DataFrame, *, label: str = "DATA") -> list[TensorInputs]:
        """Return examples for each encoding."""
        if self._inputs is None:
            found = self._encodings[0].transform(frame, label=label)
        else:
            found = self._inputs.take(torch.tensor(frame[self.names[0]].to_numpy()))
        return [found for _ in self._encodings]

    def check(self, *, label: str, remedy: str) -> None:
        """Return: inputs of another structure were refused at once."""

    @property
    def note(self) -> str:
        """Return nothing: every example was read."""
        return ""

    def _numbered(self, data: Any) -> pd.DataFrame:
        """Read what a program holds, and return the numbers of the examples."""
        self._inputs = self._read(data)
        numbers = range(len(self._inputs))
        return pd.DataFrame(dict.fromkeys(self.names, numbers))

    def _read(self, data: Any) -> TensorInputs:
        """Return the inputs of examples, with or without labels."""
        whole = (data,) if isinstance(data, Tensor | np.ndarray | Mapping) else data
        return load_tensors(whole, like=self._encodings[0], has_labels=False).beside.inputs.settled
