"""The inputs of a network for tables, and their schema."""

from __future__ import annotations

import itertools
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
        terms: Terms of free text, int32: the columns side by side, each with numbers from 0.
        shares: The weights of these terms, float32; 0 for a pad.

    Shape:
        numeric (N, F); categories (N, Q); terms, shares (N, M).
    """

    numeric: Tensor
    categories: Tensor
    terms: Tensor
    shares: Tensor

    @classmethod
    def from_block(cls, block: Block) -> TableInputs:
        """Return a whole block as tensors."""
        whole = Block.join([block], n_rows=block.n_rows)
        return cls(
            torch.tensor(whole.numeric, dtype=torch.float32),
            torch.tensor(whole.codes, dtype=torch.int64),
            torch.tensor(whole.terms, dtype=torch.int32),
            torch.tensor(whole.shares, dtype=torch.float32),
        )

    @classmethod
    def joined(cls, parts: Sequence[Any]) -> TableInputs:
        """Return the concatenated rows of several parts, `TableInputs` or stored."""
        whole = [part.whole() for part in parts]
        return cls(
            torch.cat([part.numeric for part in whole]),
            torch.cat([part.categories for part in whole]),
            torch.cat([part.terms for part in whole]),
            torch.cat([part.shares for part in whole]),
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
        return TableInputs(
            self.numeric[rows], self.categories[rows], self.terms[rows], self.shares[rows]
        )

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> TableInputs:
        """Return the rows on a device, with numbers of a type."""
        return TableInputs(
            self.numeric.to(device, dtype),
            self.categories.to(device),
            self.terms.to(device),
            self.shares.to(device, dtype),
        )


@dataclass(frozen=True)
class TableSchema:
    """The shape of `TableInputs`, which is all that a network needs to know of a table.

    Args:
        n_numeric: Numeric columns F.
        edges: Edges of quantile bins of each standardised numeric column; the last edge is
            repeated if a column has fewer distinct values than bins.
        cardinalities: Number of codes of each categorical column, including code 0.
        texts: Terms V of each column of free text, and its places, M in all.
        vector_width: Width of the vectors of frozen features, which a table's rows do not have.
        has_missing: Whether each numeric column had missing numbers in the training rows.

    Shape:
        edges (F, bins + 1).
    """

    n_numeric: int
    edges: Tensor
    cardinalities: tuple[int, ...]
    has_missing: tuple[bool, ...]
    texts: tuple[tuple[int, int], ...] = ()
    vector_width: int = 0

    @property
    def n_terms(self) -> int:
        """Return the number of terms of all columns of free text."""
        return sum(terms for terms, _ in self.texts)

    @property
    def places(self) -> int:
        """Return M, the places for terms of a row."""
        return sum(places for _, places in self.texts)

    def joined_terms(self, terms: Tensor) -> Tensor:
        """Return the terms of a row, numbered across all columns, ``(..., M)``."""
        firsts = itertools.accumulate((count for count, _ in self.texts), initial=0)
        offsets = [
            first
            for first, (_, places) in zip(firsts, self.texts, strict=False)
            for _ in range(places)
        ]
        return terms + torch.tensor(offsets, dtype=terms.dtype, device=terms.device)
