"""The embedding of free text: the weighted sum of the embeddings of its terms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable


def bag(
    table: Tensor,
    terms: Tensor,
    shares: Tensor,
    places: Sequence[int] | None = None,
    into: Tensor | None = None,
) -> Tensor:
    """Return the weighted sum of the embeddings of each example's terms.

    It is the product of the sparse matrix of weights and the table, candidate by candidate: only
    the terms that an example has cost time, forwards and backwards.

    Args:
        table: The embedding of each term.
        terms: The terms of each example.
        shares: Their weights; a place of weight 0 is a pad.
        places: The number of the batch, of G, that each candidate reads; None if G = 1.
        into: Where the gradient of the table is written; None for a new tensor, which takes
            a fifth of a step where it is large.

    Shape:
        - table, into: ``(K, V, E)``
        - terms, shares: ``(G, B, M)``
        - output: ``(K, B, E)``
    """
    batches = [_Batch.of(*one, table.shape[1]) for one in zip(terms, shares, strict=True)]
    own = [batches[place] for place in places] if places else batches * len(table)
    output: Tensor = _Bag.apply(table, own, into)  # type: ignore[no-untyped-call]
    return output


@dataclass(frozen=True)
class _Sums:
    """Weighted sums of rows: the rows and their weights, one sum after the other.

    Args:
        rows: The numbers of the rows.
        shares: Their weights.
        starts: The place of the first row of each sum.
    """

    rows: Tensor
    shares: Tensor
    starts: Tensor

    @classmethod
    def of(cls, rows: Tensor, shares: Tensor, counts: Tensor) -> _Sums:
        return cls(rows, shares, counts.cumsum(0) - counts)

    def __call__(self, table: Tensor) -> Tensor:
        """Return the sums of the rows of a table, ``(n, E)``."""
        found: Tensor = torch.embedding_bag(
            table, self.rows, self.starts, mode=0, per_sample_weights=self.shares
        )[0]
        return found


@dataclass(frozen=True)
class _Batch:
    """The terms of the examples of a batch, and the examples of each term."""

    forward: _Sums
    backward: _Sums

    @classmethod
    def of(cls, terms: Tensor, shares: Tensor, n_terms: int) -> _Batch:
        """Return a batch from the terms and weights of its examples, ``(B, M)``."""
        is_term = shares != 0
        flat, weights = terms[is_term].long(), shares[is_term]
        counts = is_term.sum(1)
        order = flat.argsort(stable=True)
        examples = torch.arange(len(terms), device=terms.device).repeat_interleave(counts)
        return cls(
            _Sums.of(flat, weights, counts),
            _Sums.of(examples[order], weights[order], torch.bincount(flat, minlength=n_terms)),
        )


class _Bag(Function):
    """The product of a sparse matrix and a dense one for each candidate.

    Autograd's backward of an embedding sorts the terms again for each candidate.
    """

    @staticmethod
    def forward(ctx: Any, table: Tensor, batches: Sequence[_Batch], into: Tensor | None) -> Tensor:
        ctx.batches = batches
        ctx.into = into
        ctx.dtype = table.dtype
        return torch.stack([one.forward(own) for one, own in zip(batches, table, strict=True)])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        each = zip(ctx.batches, grad.contiguous(), strict=True)
        if ctx.into is None:
            return torch.stack([one.backward(own) for one, own in each]), None, None
        for place, (one, own) in zip(ctx.into, each, strict=True):
            place.copy_(one.backward(own))
        return ctx.into, None, None
