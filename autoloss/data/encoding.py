"""The parts of a kind of input: encoded rows, their encoding, and the reader of a model's rows.

Tables and sequences have their own classes. Training, inference and experiments use these
methods alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
import torch
from torch import Tensor

from autoloss.core.errors import InputError
from autoloss.data.exchange import Frame
from autoloss.data.frames import Table
from autoloss.data.stream import RowStream


def check_version(state: Mapping[str, Any], version: int) -> None:
    """Check the version of the stored state of an encoding.

    Raises:
        InputError: This program reads another version.
    """
    if state.get("version") != version:
        raise InputError(
            f"The encoding must have version {version}, but got"
            f" version={state.get('version')!r}; load it with the autoloss that saved it."
        )


def change_at_random(inputs: Any) -> bool:
    """Return whether rows differ from one `take` to the next, as randomly changed images do.

    Training takes them again for every mini-batch.
    """
    return bool(getattr(inputs, "change_at_random", False))


def read_ahead(inputs: Any, epoch: Tensor) -> None:
    """Tell inputs that can read ahead which rows an epoch will take, in its order.

    Shape:
        epoch ``(steps, G, B)``
    """
    begin = getattr(inputs, "begin", None)
    if begin is not None:
        begin(epoch)


class Inputs(Protocol):
    """Encoded rows of a part, N of them, as tensors."""

    def __len__(self) -> int:
        """Return the number of rows N."""
        ...

    def take(self, rows: Tensor) -> Any:
        """Return the rows with the given numbers, in the given order."""
        ...

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Any:
        """Return the rows on a device, with numbers of a type."""
        ...

    @classmethod
    def joined(cls, parts: Sequence[Any]) -> Any:
        """Return the concatenated rows of several parts."""
        ...


class Encoding(Protocol):
    """The fitted encoding of rows: fitted on training rows, kept as JSON and tensors."""

    @property
    def schema(self) -> Any:
        """Return the shape of the encoded rows, from which `networks_for` makes a network."""
        ...

    @property
    def kinds(self) -> tuple[tuple[str, str], ...]:
        """Return the name and kind of every column, with the reason if it is left out."""
        ...

    @property
    def reasons(self) -> tuple[str, ...]:
        """Return the reason for each column's kind, in the order of `kinds`."""
        ...

    @property
    def dropped(self) -> tuple[tuple[str, str], ...]:
        """Return the name and reason of each column that is left out."""
        ...

    def transform(self, frame: pd.DataFrame, *, label: str = "DATA") -> Any:
        """Encode rows.

        Raises:
            InputError: A column is missing, or its cells do not fit the training data.
        """
        ...

    def to_state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Return the encoding as JSON values and tensors, for `from_state`."""
        ...

    @classmethod
    def from_state(cls, state: dict[str, Any], tensors: dict[str, Tensor]) -> Any:
        """Return the encoding from its stored state.

        Raises:
            InputError: This version cannot read the state.
        """
        ...

    def check(self) -> None:
        """Check that the parts of a loaded encoding fit together.

        Raises:
            ValueError: Two parts do not fit.
        """
        ...


class RowReader(Protocol):
    """Reads new rows for the members of a model, piece by piece, and counts unusable cells."""

    @property
    def names(self) -> tuple[str, ...]:
        """Return the columns that the rows must have, in the order of the training table."""
        ...

    def open(self, data: str | Path) -> RowStream:
        """Return the rows of a source on the disk, to read them piece by piece."""
        ...

    def frames(self, data: Frame | str | Path) -> Iterator[pd.DataFrame]:
        """Yield the rows as they are read from their source."""
        ...

    def labelled(self, data: Frame | str | Path) -> tuple[Table, Any]:
        """Return rows with all of their columns, and the same rows to read for predictions.

        Raises:
            InputError: The source is not there or holds no rows.
        """
        ...

    def encode(self, frame: pd.DataFrame, *, label: str = "DATA") -> list[Any]:
        """Return a piece of the rows, encoded by each encoding.

        Raises:
            InputError: Columns are missing.
        """
        ...

    def check(self, *, label: str, remedy: str) -> None:
        """Refuse the rows that were read if predictions would mean nothing.

        Raises:
            InputError: A column that mattered is unusable in most rows.
        """
        ...

    @property
    def note(self) -> str:
        """Return a line on the cells that cannot be used; empty if there are none."""
        ...


class TokenReader(RowReader, Protocol):
    """Reads new sequences for the members of a model."""

    def tagged(self, data: Any, target: str) -> tuple[Table, Any]:
        """Return a table of sequences, and the tags of its tokens.

        Args:
            data: The source.
            target: The name of the tags.

        Raises:
            InputError: It lacks them, or they have other lengths than the tokens.
        """
        ...
