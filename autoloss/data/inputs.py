"""The inputs of a network for tables, and their schema."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from autoloss.data.blocks import Block


@dataclass(frozen=True)
class TableInputs:
    """Encoded rows of a table.

    Args:
        numeric: Standardised numbers, float32, NaN if missing.
        categories: Codes of categories, int64, 0 for an unseen or rare level.
        vectors: Vectors of free text, float32, zero if missing.

    Shape:
        numeric (N, F); categories (N, Q); vectors (N, D).
    """

    numeric: Tensor
    categories: Tensor
    vectors: Tensor

    @classmethod
    def from_block(cls, block: Block) -> TableInputs:
        """Return a whole block as tensors."""
        whole = Block.join([block], n_rows=block.n_rows)
        return cls(
            torch.tensor(whole.numeric, dtype=torch.float32),
            torch.tensor(whole.codes, dtype=torch.int64),
            torch.tensor(whole.vectors, dtype=torch.float32),
        )

    @classmethod
    def joined(cls, parts: Sequence[Any]) -> TableInputs:
        """Return the rows of several parts, `TableInputs` or stored, one part after the other."""
        whole = [part.whole() for part in parts]
        return cls(
            torch.cat([part.numeric for part in whole]),
            torch.cat([part.categories for part in whole]),
            torch.cat([part.vectors for part in whole]),
        )

    def whole(self) -> TableInputs:
        """Return the rows, as `StoredInputs` does."""
        return self

    def __len__(self) -> int:
        """Return the number of rows N."""
        return self.numeric.shape[0]

    def take(self, rows: Tensor) -> TableInputs:
        """Return the rows with the given numbers, in the given order.

        Args:
            rows: Row numbers, of any shape; the result has that shape in place of N.
        """
        return TableInputs(self.numeric[rows], self.categories[rows], self.vectors[rows])

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> TableInputs:
        """Return the rows on a device, with numbers of a type."""
        return TableInputs(
            self.numeric.to(device, dtype),
            self.categories.to(device),
            self.vectors.to(device, dtype),
        )


@dataclass(frozen=True)
class TableSchema:
    """The shape of `TableInputs`, which is all that a network needs to know of a table.

    Args:
        n_numeric: Numeric columns F.
        edges: Edges of quantile bins of each standardised numeric column; the last edge is
            repeated if a column has fewer distinct values than bins.
        cardinalities: Number of codes of each categorical column, including code 0.
        vector_width: Width D of the text vectors.
        has_missing: Whether each numeric column had missing numbers in the training rows.

    Shape:
        edges (F, bins + 1).
    """

    n_numeric: int
    edges: Tensor
    cardinalities: tuple[int, ...]
    vector_width: int
    has_missing: tuple[bool, ...]
