"""Mini-batches: which rows each candidate reads at each of its steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from autoloss.models import Features


@dataclass(frozen=True)
class Batch:
    """The examples of one step; G is 1 where all candidates share them.

    Args:
        features: Encoded inputs, fields ``(G, B, ...)``.
        targets: Classes ``(G, B)``, or class probabilities ``(G, B, C)``.
        weights: Weights of the examples; None for one each.
        mask: False where the label is missing; None where none is.

    Shape:
        - weights: ``(G, B)``
        - mask: ``(G, B)``
    """

    features: Features
    targets: Tensor
    weights: Tensor | None = None
    mask: Tensor | None = None

    def mean(self, values: Tensor, orders: Tensor | None) -> Tensor:
        """Return each candidate's mean of weighted, unmasked examples, ``(K, B)`` to ``(K,)``."""
        if self.weights is None and self.mask is None:
            return values.mean(1)
        weights = torch.ones_like(self.targets, dtype=values.dtype)
        if self.weights is not None:
            weights = weights * self.weights
        if self.mask is not None:
            weights = weights * self.mask
        if orders is not None:
            weights = weights[orders]
        # A masked value may be NaN, and NaN times zero is NaN.
        weighted = torch.where(weights > 0, values, 0.0) * weights
        return weighted.sum(1) / weights.expand_as(values).sum(1).clamp_min(1e-12)


def batch_size_for(n_rows: int, at_most: int) -> int:
    """Return the rows of a mini-batch: `at_most`, fewer where an epoch would be below 16 steps."""
    size = at_most
    while size > 32 and n_rows // size < 16:
        size //= 2
    return max(1, min(size, n_rows))


class Orders:
    """The rows of every mini-batch and the dropout draws, one order a seed.

    An order is a function of its seed and its own step, never of the candidates that follow it.

    Args:
        seeds: The seed of each candidate.
        n_rows: Training rows.
        batch_size: Rows of a mini-batch.
        device: Where the draws are needed.
    """

    def __init__(
        self, seeds: Sequence[int], n_rows: int, batch_size: int, *, device: torch.device
    ) -> None:
        self.seeds = tuple(dict.fromkeys(seeds))
        self.n_rows = n_rows
        self.batch_size = batch_size
        self.device = device
        self._rows = [torch.Generator().manual_seed(2 * seed + 1) for seed in self.seeds]
        self._noise = [torch.Generator(device).manual_seed(2 * seed) for seed in self.seeds]

    @property
    def steps(self) -> int:
        """Return the steps of an epoch; the rows that are left over are others in each."""
        return self.n_rows // self.batch_size

    def epoch(self) -> Tensor:
        """Draw the next epoch's rows, ``(steps, G, B)``."""
        drawn = torch.stack([torch.randperm(self.n_rows, generator=g) for g in self._rows])
        used = drawn[:, : self.steps * self.batch_size]
        batches = torch.unflatten(used, 1, (self.steps, -1)).transpose(0, 1)
        return batches.contiguous().to(self.device)

    def uniform(self, width: int, dtype: torch.dtype) -> Tensor:
        """Draw dropout's uniform numbers for one layer of one step, ``(G, B, width)``."""
        draws = [
            torch.rand(self.batch_size, width, generator=g, device=self.device, dtype=dtype)
            for g in self._noise
        ]
        return draws[0].unsqueeze(0) if len(draws) == 1 else torch.stack(draws)

    def index(self, seeds: Sequence[int]) -> Tensor | None:
        """Return which order each candidate follows, ``(K,)``; None where there is one order."""
        if len(self.seeds) == 1:
            return None
        return torch.tensor([self.seeds.index(seed) for seed in seeds], device=self.device)
