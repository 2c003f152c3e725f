"""The inputs of a network for sequences, and their schema."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from autoloss.core.ragged import Ragged

WINDOW = 512
"""Tokens of a window of a longer sequence."""


@dataclass(frozen=True, eq=False)
class SequenceInputs:
    """Encoded sequences, their tokens one after the other.

    Args:
        codes: Code of each token's form, 0 for a rare or unseen form.
        kinds: The different word of each token.
        of_kind: The numbers of each different word.
        numbers: Further numbers of each token.
        lengths: The tokens of each sequence.

    Shape:
        codes and kinds (T,), of_kind (kinds, D), numbers (T, E), lengths (N,).
    """

    codes: Tensor
    kinds: Tensor
    of_kind: Tensor
    numbers: Tensor
    lengths: Tensor

    @classmethod
    def joined(cls, parts: Sequence[SequenceInputs]) -> SequenceInputs:
        """Return the concatenated sequences of several parts."""
        sizes = [len(part.of_kind) for part in parts]
        first = [sum(sizes[:place]) for place in range(len(parts))]
        return cls(
            torch.cat([part.codes for part in parts]),
            torch.cat([part.kinds + start for part, start in zip(parts, first, strict=True)]),
            torch.cat([part.of_kind for part in parts]),
            torch.cat([part.numbers for part in parts]),
            torch.cat([part.lengths for part in parts]),
        )

    def __len__(self) -> int:
        """Return the number of sequences N."""
        return len(self.lengths)

    def take(self, rows: Tensor) -> SequenceInputs:
        """Return the sequences with the given numbers, in the given order, (n,)."""
        places = Ragged(self.codes, self.lengths).places(rows)
        return replace(
            self,
            codes=self.codes[places],
            kinds=self.kinds[places],
            numbers=self.numbers[places],
            lengths=self.lengths[rows],
        )

    def begun(self, lengths: Tensor) -> SequenceInputs:
        """Return the first tokens of each sequence.

        Args:
            lengths: How many, at most the sequence's, (N,).
        """
        places = Ragged(self.codes, self.lengths).first_places(lengths)
        return replace(
            self,
            codes=self.codes[places],
            kinds=self.kinds[places],
            numbers=self.numbers[places],
            lengths=lengths,
        )

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> SequenceInputs:
        """Return the sequences on a device, with numbers of a type."""
        return SequenceInputs(
            self.codes.to(device),
            self.kinds.to(device),
            self.of_kind.to(device, dtype),
            self.numbers.to(device, dtype),
            self.lengths.to(device),
        )


@dataclass(frozen=True)
class SequenceSchema:
    """The shape of `SequenceInputs`, which is all that a network needs to know of sequences.

    Args:
        n_codes: Number of codes, including code 0.
        width: Numbers of a token, D + E.
    """

    n_codes: int
    width: int


@dataclass(frozen=True, eq=False)
class Windows:
    """The windows into which sequences are cut: their own tokens, and tokens around them.

    A window sees the tokens around its own that a network of finite reach can see, so that the
    logits of its own tokens are the whole sequence's.

    Args:
        start: The first token of each window among all tokens, with its context.
        end: The token after its last.
        own_start: The first of its own tokens.
        own_end: The token after the last of them.

    Shape:
        each (W,).
    """

    start: Tensor
    end: Tensor
    own_start: Tensor
    own_end: Tensor

    @classmethod
    def of(cls, lengths: Tensor, *, reach: int, longest: int) -> Windows:
        """Return the windows of sequences, in order.

        Args:
            lengths: The tokens of each sequence.
            reach: Tokens to each side of the own tokens.
            longest: The most own tokens of a window.

        Shape:
            lengths (N,).
        """
        found: list[tuple[int, int, int, int]] = []
        first = 0
        for length in lengths.tolist():
            # Windows of equal size, so that none has a few tokens only.
            count = max(1, -(-length // longest))
            cuts = [first + length * i // count for i in range(count + 1)]
            last = first + length
            found += [
                (max(first, a - reach), min(last, b + reach), a, b)
                for a, b in itertools.pairwise(cuts)
            ]
            first = last
        columns = torch.tensor(found, dtype=torch.int64).reshape(-1, 4).to(lengths.device)
        return cls(*(column.clone() for column in columns.T))

    def __len__(self) -> int:
        """Return the number of windows W."""
        return len(self.start)
