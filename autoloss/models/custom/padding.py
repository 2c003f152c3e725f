"""A stream of tokens as padded sequences, and back."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Padding:
    """The places of the tokens of a stream in padded sequences.

    Args:
        size: The length of the stream.
        places: The tokens among the stream, which has pads between its sequences.
        at: Their places in the padded sequences, laid out flat.
        shape: The sequences N and the longest of them T.
    """

    size: int
    places: Tensor
    at: Tensor
    shape: tuple[int, int]

    @classmethod
    def of(cls, around: Tensor) -> Padding:
        """Return the padding of a stream.

        Args:
            around: The tokens before and after each token in its sequence, -1 for a pad.

        Shape:
            around ``(B, 2)``.
        """
        places = (around[:, 0] >= 0).nonzero().flatten()
        before, after = around[places].unbind(-1)
        row = (before == 0).cumsum(0) - 1
        shape = int(row[-1]) + 1, int((before + after).max()) + 1
        return cls(len(around), places, row * shape[1] + before, shape)

    def laid(self, values: Tensor) -> Tensor:
        """Return the values of the stream as padded sequences, ``(B, ...)`` -> ``(N, T, ...)``."""
        found = values.new_zeros(self.shape[0] * self.shape[1], *values.shape[1:])
        found[self.at] = values[self.places]
        return found.view(*self.shape, *values.shape[1:])

    def back(self, logits: Tensor) -> Tensor:
        """Return the logits of the stream, ``(..., N, T, C)`` -> ``(..., B, C)``."""
        own = logits.flatten(-3, -2).index_select(-2, self.at)
        stream = own.new_zeros(*own.shape[:-2], self.size, own.shape[-1])
        return stream.index_copy(-2, self.places, own)
