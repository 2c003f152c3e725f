"""Rows of a large table, encoded at each `take` from columns that all folds share.

An encoded copy of a large table is as large as the table, and every fold has an encoding of its
own. Here a fold is the numbers of its rows; `take` returns the same numbers as an encoded copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoloss.data.blocks import Block
from autoloss.data.categories import CategoryColumn
from autoloss.data.encode import TableEncoding
from autoloss.data.inputs import TableInputs
from autoloss.data.numbers import NumericColumn
from autoloss.data.unusable import check_cells
from autoloss.data.values import values_of

LARGE = 20_000_000
"""The number of cells from which on a part is not kept encoded."""


@dataclass(frozen=True, eq=False)
class StoredTable:
    """The columns of a table in a form for repeated reading.

    Args:
        frame: The table.
    """

    frame: pd.DataFrame
    _numbers: dict[str, NDArray[Any]] = field(default_factory=dict, repr=False)
    _codes: dict[str, tuple[NDArray[Any], Any]] = field(default_factory=dict, repr=False)

    def numbers(self, name: str) -> NDArray[Any] | None:
        """Return a column of plain numbers; (N,), or None if there is none."""
        if name not in self._numbers:
            dtype = self.frame[name].dtype
            if not isinstance(dtype, np.dtype) or dtype.kind not in "fiu":
                return None
            self._numbers[name] = self.frame[name].to_numpy()
        return self._numbers[name]

    def codes(self, name: str) -> tuple[NDArray[Any], Any]:
        """Return the number of each row's text among the distinct texts, -1 if missing; (N,)."""
        if name not in self._codes:
            codes, unique = pd.factorize(values_of(self.frame[name]).text)
            self._codes[name] = (codes.astype(np.min_scalar_type(-len(unique) - 1)), unique)
        return self._codes[name]


class StoredInputs:
    """Rows of a part as `TableInputs` would hold them, encoded when they are taken.

    Args:
        table: The table.
        encoding: How its columns are encoded.
        rows: The rows, by their numbers in the table.
        dtype: Type of the numbers that are taken.

    Shape:
        rows (N,).
    """

    def __init__(
        self,
        table: StoredTable,
        encoding: TableEncoding,
        rows: NDArray[Any],
        *,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.dtype = dtype
        self._rows = rows
        self._readers = [_Reader.of(table, column, rows) for column in encoding.columns]

    def to(
        self, device: torch.device | str, dtype: torch.dtype | None = None
    ) -> StoredInputs | TableInputs:
        """Return the rows on a device, with numbers of a type; on another than the CPU encoded."""
        if torch.device(device).type != "cpu":
            return self.whole().to(device, dtype)
        found = copy(self)
        found.dtype = self.dtype if dtype is None else dtype
        return found

    def whole(self) -> TableInputs:
        """Return all rows encoded."""
        return self.take(torch.arange(len(self)))

    @classmethod
    def joined(cls, parts: Sequence[Any]) -> TableInputs:
        """Return the rows of several parts, one part after the other, encoded."""
        return TableInputs.joined(parts)

    def __len__(self) -> int:
        """Return the number of rows N."""
        return len(self._rows)

    def take(self, rows: Tensor) -> TableInputs:
        """Return the rows with the given numbers, in the given order; see `TableInputs.take`."""
        places = rows.cpu().numpy().ravel()
        at = self._rows[places]
        blocks = [reader.read(at, places) for reader in self._readers]
        found = TableInputs.from_block(Block.join(blocks, n_rows=len(places)))
        return TableInputs(
            torch.unflatten(found.numeric.to(self.dtype), 0, rows.shape),
            torch.unflatten(found.categories, 0, rows.shape),
            torch.unflatten(found.terms, 0, rows.shape),
            torch.unflatten(found.shares.to(self.dtype), 0, rows.shape),
        )


@dataclass(frozen=True, eq=False)
class _Reader:
    """One column: from numbers, from codes, or encoded at once if it is of another kind."""

    column: Any
    numbers: NDArray[Any] | None = None
    codes: NDArray[Any] | None = None
    table: NDArray[np.int64] | None = None
    encoded: Block | None = None

    @classmethod
    def of(cls, table: StoredTable, column: Any, rows: NDArray[Any]) -> _Reader:
        """Return the reader of a column."""
        if isinstance(column, CategoryColumn):
            codes, unique = table.codes(column.name)
            return cls(column, codes=codes, table=column.code_table(unique))
        if isinstance(column, NumericColumn):
            numbers = table.numbers(column.name)
            if numbers is not None:
                return cls(column, numbers=numbers)
        own = table.frame[[column.name]].iloc[rows]
        encoded = column.encode(own[column.name])
        check_cells([column], own, encoded)
        return cls(column, encoded=encoded)

    def read(self, at: NDArray[Any], places: NDArray[Any]) -> Block:
        """Return encoded rows, by their numbers in the table and in the part."""
        if self.numbers is not None:
            values = self.numbers[at].astype(np.float64)
            values[np.isinf(values)] = np.nan
            return Block(len(at), numeric=self.column.scale(values)[:, None])
        if self.codes is not None and self.table is not None:
            return Block(len(at), codes=self.table[self.codes[at]][:, None])
        whole = self.encoded
        assert whole is not None
        return Block(
            len(at),
            None if whole.numeric is None else whole.numeric[places],
            None if whole.codes is None else whole.codes[places],
            None if whole.terms is None else whole.terms[places],
            None if whole.shares is None else whole.shares[places],
        )
