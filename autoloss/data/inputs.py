"""What a network for tables is fed, and the shape of it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from autoloss.data.blocks import Block


@dataclass(frozen=True)
class TableInputs:
    """Encoded rows of a table.

    Args:
        numeric: Standardised numbers, float32, NaN where missing.
        categories: Codes of categories, int64, 0 where the level is unseen or rare.
        vectors: Vectors of free text, float32, zero where missing.

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

    def __len__(self) -> int:
        """Return the number of rows N."""
        return self.numeric.shape[0]

    def take(self, rows: Tensor) -> TableInputs:
        """Return the rows of those numbers, in that order.

        Args:
            rows: Row numbers, of any shape; the result has that shape in place of N.
        """
        return TableInputs(self.numeric[rows], self.categories[rows], self.vectors[rows])

    def typed(self, dtype: torch.dtype) -> TableInputs:
        """Return the same rows, their numbers of a type."""
        return TableInputs(self.numeric.to(dtype), self.categories, self.vectors.to(dtype))

    def to(self, device: torch.device | str) -> TableInputs:
        """Return the rows on a device."""
        return TableInputs(
            self.numeric.to(device), self.categories.to(device), self.vectors.to(device)
        )


@dataclass(frozen=True)
class TableSchema:
    """The shape of `TableInputs`, all that a network needs to know of a table.

    Args:
        n_numeric: Numeric columns F.
        edges: Edges of quantile bins of each standardised numeric column, the last one repeated
            where a column has fewer distinct values than bins.
        cardinalities: Codes of each categorical column, code 0 among them.
        vector_width: Width D of the text vectors.
        has_missing: Whether each numeric column lacked numbers in the training rows.

    Shape:
        edges (F, bins + 1).
    """

    n_numeric: int
    edges: Tensor
    cardinalities: tuple[int, ...]
    vector_width: int
    has_missing: tuple[bool, ...]
