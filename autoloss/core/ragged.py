"""The labels of sequences of unequal length, as one value for each token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Ragged:
    """Values of the tokens of N sequences, one sequence after the other.

    It stands where a tensor has the labels of rows: its length is N, and an index takes sequences.

    Args:
        values: A value for each token.
        lengths: The tokens of each sequence.

    Shape:
        values (T,), lengths (N,).
    """

    values: Tensor
    lengths: Tensor

    @classmethod
    def joined(cls, parts: Sequence[Ragged]) -> Ragged:
        """Return the concatenated sequences of several parts."""
        return cls(
            torch.cat([one.values for one in parts]), torch.cat([one.lengths for one in parts])
        )

    def __len__(self) -> int:
        """Return the number of sequences N."""
        return len(self.lengths)

    def __getitem__(self, rows: Tensor) -> Ragged:
        """Return the sequences with the given numbers, in that order.

        Examples:
            >>> tags = Ragged(torch.tensor([5, 6, 7]), torch.tensor([2, 1]))
            >>> tags[torch.tensor([1, 0])].values
            tensor([7, 5, 6])
        """
        return Ragged(self.values[self.places(rows)], self.lengths[rows])

    def places(self, rows: Tensor) -> Tensor:
        """Return the places of the tokens of some sequences among all tokens, (n,) -> (t,)."""
        own = self.lengths[rows]
        first = (self.lengths.cumsum(0) - self.lengths)[rows]
        counted = torch.arange(int(own.sum()), device=own.device)
        return (first - (own.cumsum(0) - own)).repeat_interleave(own) + counted

    def first_places(self, lengths: Tensor) -> Tensor:
        """Return the places of the first tokens of each sequence among all tokens, (N,) -> (t,).

        Args:
            lengths: How many, at most the length of the sequence.
        """
        first = self.lengths.cumsum(0) - self.lengths
        own = lengths.cumsum(0) - lengths
        places = (first - own).repeat_interleave(lengths)
        return places + torch.arange(len(places), device=places.device)

    def split(self) -> Sequence[Tensor]:
        """Return the values of each sequence."""
        return torch.split_with_sizes(self.values, self.lengths.tolist())

    def to(self, device: torch.device | str) -> Ragged:
        """Return the values on a device."""
        return Ragged(self.values.to(device), self.lengths.to(device))

    def cpu(self) -> Ragged:
        """Return the values on the host."""
        return self.to("cpu")


Labels = Tensor | Ragged
"""The labels of the rows of a part: a tensor, or the tags of sequences."""


def joined_labels(parts: Sequence[Labels]) -> Labels:
    """Return the concatenated labels of several parts of the same kind."""
    tags = [part for part in parts if isinstance(part, Ragged)]
    if tags:
        return Ragged.joined(tags)
    return torch.cat([part for part in parts if isinstance(part, Tensor)])
