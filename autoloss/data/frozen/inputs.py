"""The inputs of a network for the vectors of a frozen network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class VectorInputs:
    """Rows of vectors: numbers of rows in a store, which other parts share.

    A network for tables reads them as a table without columns, whose rows have these vectors.

    Args:
        store: All vectors, as they were computed.
        rows: The numbers of the rows of this part.
        mean: Subtracted from each number of a vector.
        scale: Divides the difference.

    Shape:
        store (M, D); rows (N,) or of any shape; mean and scale (D,).
    """

    store: Tensor
    rows: Tensor
    mean: Tensor
    scale: Tensor

    @classmethod
    def joined(cls, parts: Sequence[VectorInputs]) -> VectorInputs:
        """Return the concatenated rows of several parts."""
        first = parts[0]
        if all(part.store is first.store for part in parts):
            rows = torch.cat([part.rows for part in parts])
            return cls(first.store, rows, first.mean, first.scale)
        store = torch.cat([part.store[part.rows] for part in parts])
        return cls(store, torch.arange(len(store)), first.mean, first.scale)

    def __len__(self) -> int:
        """Return the number of rows N."""
        return len(self.rows)

    def take(self, rows: Tensor) -> VectorInputs:
        """Return the rows with the given numbers, of any shape, in the given order."""
        taken = self.rows[rows.to(self.rows.device)]
        return VectorInputs(self.store, taken, self.mean, self.scale)

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> VectorInputs:
        """Return the rows on a device, with numbers of a type."""
        if self.store.device == torch.device(device) and dtype in (None, self.store.dtype):
            return self
        flat = self.rows.flatten()
        own = self.store.index_select(0, flat).to(device, dtype)
        rows = torch.arange(len(flat), device=device).view(self.rows.shape)
        return VectorInputs(own, rows, self.mean.to(device, dtype), self.scale.to(device, dtype))

    @property
    def vectors(self) -> Tensor:
        """Return the standardised vectors, with the axes of the rows for N, (N, D)."""
        found = self.store.index_select(0, self.rows.flatten())
        standard = (found - self.mean) / self.scale
        return torch.unflatten(standard, 0, self.rows.shape)

    @property
    def numeric(self) -> Tensor:
        """Return no numbers, (N, 0)."""
        return self.store.new_zeros(*self.rows.shape, 0)

    @property
    def categories(self) -> Tensor:
        """Return no codes, (N, 0)."""
        return self.rows.new_zeros(*self.rows.shape, 0)
