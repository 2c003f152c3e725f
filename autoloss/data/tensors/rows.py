"""New examples for a model: a data set, a loader, tensors, or a table of arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoloss.core.errors import InputError
from autoloss.data.exchange import Frame
from autoloss.data.frames import Table
from autoloss.data.read import read_table
from autoloss.data.sequences.tags import TagColumn
from autoloss.data.stream import RowStream, open_rows
from autoloss.data.tensors.encode import TensorEncoding
from autoloss.data.tensors.given import is_given, is_place
from autoloss.data.tensors.inputs import TensorInputs
from autoloss.data.tensors.sources import ITEM, load_tensors

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
        """Yield the examples; examples in memory as numbers, which `encode` looks up."""
        is_bare = isinstance(data, Tensor | np.ndarray | Mapping)
        if is_bare or is_given(data) or is_place(data):
            yield pd.DataFrame({ITEM: self._numbers(data)})
        else:
            yield read_table(data)

    def open(self, data: str | Path) -> RowStream:
        """Return the rows of a file, or the examples of ``MODULE:NAME`` or ``FILE.py:NAME``."""
        if not is_place(str(data)):
            return open_rows(data)
        # The column of every tensor holds a number, so that none is missing.
        whole = pa.table(dict.fromkeys(self.names, self._numbers(str(data))))
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

    def tagged(self, data: Any, target: str) -> tuple[Table, TagColumn]:
        """Return the examples as a table, and the tags of their tokens.

        Raises:
            InputError: The examples have no tags.
        """
        if not (is_given(data) or is_place(data)):
            raise InputError(
                "DATA must be a Dataset, a DataLoader or (inputs, labels) with a tag for each"
                " token, but is a table."
            )
        found = load_tensors(data, like=self._encodings[0])
        assert found.tags is not None
        return found.table, found.tags

    def encode(self, frame: pd.DataFrame, *, label: str = "DATA") -> list[TensorInputs]:
        """Return examples for each encoding."""
        if self._inputs is None:
            found = self._encodings[0].transform(frame, label=label)
        else:
            found = self._inputs.take(torch.tensor(frame.iloc[:, 0].to_numpy()))
        return [found for _ in self._encodings]

    def check(self, *, label: str, remedy: str) -> None:
        """Return: inputs of another structure were refused at once."""

    @property
    def note(self) -> str:
        """Return nothing: every example was read."""
        return ""

    def _numbers(self, data: Any) -> NDArray[np.int64]:
        """Read the inputs of examples, with or without labels, and return their numbers."""
        whole = (data,) if isinstance(data, Tensor | np.ndarray | Mapping) else data
        found = load_tensors(whole, like=self._encodings[0], has_labels=False)
        self._inputs = found.beside.inputs.settled
        return np.arange(len(self._inputs))
