"""Mini-batches: the rows that each candidate reads at each of its steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from autoloss.models import LEVELS, Features, joined_orders, spread

OrderKey = tuple[int, int, int]
"""The division of an order, its seed, and the epoch of the population at which it starts."""


@dataclass(frozen=True)
class Batch:
    """The examples of one step; G is 1 if all candidates share them.

    An item is a unit with a label: an example, a position of it, or one of its labels.

    Args:
        features: Encoded inputs, fields ``(G, B, ...)``.
        targets: Classes, or class probabilities with one more axis; any class if the label is
            missing.
        weights: Weights of the examples or of the items; None if all weigh 1.
        mask: False for an item, or an example, without labels; None if no label is missing.
        rows: Numbers of the rows in the training data; None if they have none.
        teacher: Logits of a teacher; None if there is none.
        sizes: The examples of each of the G batches, the rest of which are pads; None if all have
            the same number.
        lengths: The tokens of each sequence, and its pad; None for examples of other kinds.

    Shape:
        - targets: ``(G, B)``; of positions ``(G, B, T)``; of several yes and no ``(G, B, L)``
        - weights, mask: ``(G, B)``, or the shape of the items
        - rows: ``(G, B)``
        - teacher: ``(G, B, C)``; of positions ``(G, B, T, C)``
        - lengths: ``(G, rows of a mini-batch)``
    """

    features: Features
    targets: Tensor
    weights: Tensor | None = None
    mask: Tensor | None = None
    rows: Tensor | None = None
    teacher: Tensor | None = None
    sizes: tuple[int, ...] | None = None
    lengths: Tensor | None = None

    @classmethod
    def joined(cls, parts: Sequence[Batch]) -> Batch:
        """Return the orders of several batches of the same kind, one after the other."""
        if len(parts) == 1:
            return parts[0]

        def stacked(name: str, axis: int = -1) -> Tensor | None:
            found = [getattr(part, name) for part in parts]
            return None if found[0] is None else joined_orders(found, axis=axis)

        sizes = [size for part in parts for size in part.sizes or ()]
        return cls(
            Features.of_each([part.features for part in parts], joined_orders),
            joined_orders([part.targets for part in parts], axis=-1),
            weights=stacked("weights"),
            mask=_joined_masks(parts),
            rows=stacked("rows"),
            teacher=stacked("teacher", axis=-2),
            sizes=tuple(sizes) or None,
            lengths=stacked("lengths"),
        )

    def item_weights(
        self, orders: Tensor | None, *, item_axes: int = 1, dtype: torch.dtype = torch.float32
    ) -> Tensor | None:
        """Return the weight of every item, 0 if its label is missing; None if all weigh 1.

        Args:
            orders: The number of the batch that each candidate reads, ``(K,)``; None if G = 1.
            item_axes: Axes of the items of a candidate: 1 for examples, 2 for positions or labels.
            dtype: Of the result.

        Shape:
            - output: ``(1, B, ...)``, with orders ``(K, B, ...)``
        """
        found: Tensor | None = None
        for given in (self.weights, self.mask):
            if given is not None:
                own = spread(given, orders).to(dtype)
                own = own.view(*own.shape, *[1] * (1 + item_axes - own.ndim))
                found = own if found is None else found * own
        return found


def _joined_masks(parts: Sequence[Batch]) -> Tensor | None:
    """Return the masks of several batches, where the rows of some may have all labels."""
    if all(part.mask is None for part in parts):
        return None
    return joined_orders(
        [
            torch.ones_like(part.targets, dtype=torch.bool) if part.mask is None else part.mask
            for part in parts
        ],
        axis=-1,
    )


def item_mean(values: Tensor, weights: Tensor | None) -> Tensor:
    """Return each candidate's weighted mean over all items that have a label.

    Args:
        values: The value of every item.
        weights: Their weights, from `Batch.item_weights`; None if all weigh 1.

    Shape:
        - values: ``(K, B)``, ``(K, B, T)`` or ``(K, B, L)``
        - weights: of a shape that broadcasts against the values
        - output: ``(K,)``
    """
    if weights is None:
        own = values.flatten(1)
        # The gradient of a mean is computed for every item.
        return own.sum(1) / own.shape[1]
    weights = weights.expand_as(values)
    # A masked value may be NaN, and NaN times zero is NaN.
    weighted = torch.where(weights > 0, values, 0.0) * weights
    return weighted.flatten(1).sum(1) / weights.flatten(1).sum(1).clamp_min(1e-12)


STEPS = 16
"""Steps that an epoch keeps by smaller mini-batches."""


def batch_size_for(n_rows: int, at_most: int, *, least: int) -> int:
    """Return the rows of a mini-batch: `at_most`, or fewer to keep `STEPS` steps in an epoch.

    Args:
        n_rows: Training rows.
        at_most: The most rows.
        least: Rows below which a mini-batch is not halved.
    """
    size = at_most
    while size > least and n_rows // size < STEPS:
        size //= 2
    return max(1, min(size, n_rows))


@dataclass(frozen=True)
class _Draws:
    """The random generators of an order: rows, dropout, mixtures, seeds of modules."""

    rows: torch.Generator
    noise: torch.Generator
    pairs: np.random.Generator
    corners: np.random.Generator
    modules: np.random.Generator

    @classmethod
    def of(cls, key: OrderKey, device: torch.device) -> _Draws:
        """Return the draws of an order at its first step."""
        fold, seed, _ = key
        drawn = _entropy(fold, seed)
        return cls(
            rows=torch.Generator().manual_seed(2 * drawn + 1),
            noise=torch.Generator(device).manual_seed(2 * drawn),
            # Of another kind, so that no seed gives the numbers of the two above.
            pairs=np.random.default_rng([abs(drawn), drawn < 0]),
            corners=np.random.default_rng([abs(drawn), drawn < 0, 2]),
            modules=np.random.default_rng([abs(drawn), drawn < 0, 1]),
        )


class Orders:
    """The rows of every mini-batch and all other random draws of a training run.

    There is an order for each seed, division and starting epoch. It is a function of seed,
    division and its own step, and does not depend on the starting time or on the candidates
    that follow it.

    Args:
        seeds: The seed of each candidate.
        n_rows: Training rows, or the training rows of each division.
        batch_size: Rows of a mini-batch.
        device: The device of the draws.
        folds: The division of each candidate; the first by default.
        by_length: For windows of sequences, the numbers of the rows of each division from short to
            long. A mini-batch then has a row from each of equal buckets of lengths, so that all
            have about as many tokens.
        alike: Whether a mini-batch has windows of about the same length instead, for a network
            that pads them.
    """

    def __init__(
        self,
        seeds: Sequence[int],
        n_rows: int | Sequence[int],
        batch_size: int,
        *,
        device: torch.device,
        folds: Sequence[int] | None = None,
        by_length: Sequence[Tensor] | None = None,
        alike: bool = False,
    ) -> None:
        self._by_length, self._alike = by_length, alike
        self._n_rows = [n_rows] if isinstance(n_rows, int) else list(n_rows)
        self.batch_size = batch_size
        self.device = device
        self._draws: dict[OrderKey, _Draws] = {}
        self.follow(_keys(seeds, folds, None))

    def follow(self, keys: Sequence[OrderKey]) -> None:
        """Continue with the orders of these keys; new orders are at their first step.

        Args:
            keys: Division, seed and start of each candidate.
        """
        # Neighbours are of one division, so that its rows are looked up at once.
        self.keys = tuple(sorted(dict.fromkeys(keys), key=lambda key: key[0]))
        known = self._draws
        self._draws = {
            key: known[key] if key in known else _Draws.of(key, self.device) for key in self.keys
        }

    @property
    def steps(self) -> int:
        """Return the steps of an epoch; each epoch leaves out other rows."""
        return min(self._n_rows) // self.batch_size

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """Return each division in use and its number of orders."""
        counts: dict[int, int] = {}
        for fold, _, _ in self.keys:
            counts[fold] = counts.get(fold, 0) + 1
        return list(counts.items())

    def epoch(self) -> Tensor:
        """Draw the next epoch's rows, numbers within their division, ``(steps, G, B)``."""
        used = self.steps * self.batch_size
        drawn = torch.stack(
            [
                self._shuffled(fold, draws.rows)[:used]
                for (fold, _, _), draws in self._draws.items()
            ]
        )
        batches = torch.unflatten(drawn, 1, (self.steps, -1)).transpose(0, 1)
        return batches.contiguous().to(self.device)

    def _shuffled(self, fold: int, generator: torch.Generator) -> Tensor:
        """Return the rows of a division in a random order, enough for all steps."""
        n_rows = self._n_rows[fold]
        if self._by_length is None:
            return torch.randperm(n_rows, generator=generator)
        if self._alike:
            used = torch.randperm(n_rows, generator=generator)[: self.steps * self.batch_size]
            batches = self._by_length[fold][used.sort().values].view(self.steps, -1)
            return batches[torch.randperm(self.steps, generator=generator)].flatten()
        buckets = [
            bucket[torch.randperm(len(bucket), generator=generator)[: self.steps]]
            for bucket in torch.tensor_split(self._by_length[fold], self.batch_size)
        ]
        return torch.stack(buckets, 1).flatten()

    def levels(self, depth: int, width: int, sizes: Sequence[int] | None = None) -> Tensor:
        """Draw dropout's levels for one step, int16 from 0 to 32 767, ``(depth, G, B, width)``.

        Args:
            depth: Layers.
            width: Units of a layer.
            sizes: The examples of each order in this step, of which B is the largest number; None
                if each has the rows of a mini-batch.
        """
        sizes = [self.batch_size] * len(self._draws) if sizes is None else sizes
        draws = [
            _levels(own.noise, (depth, size, width), self.device)
            for own, size in zip(self._draws.values(), sizes, strict=True)
        ]
        if len(set(sizes)) > 1:
            draws = [functional.pad(one, (0, 0, 0, max(sizes) - one.shape[1])) for one in draws]
        levels = draws[0].unsqueeze(1) if len(draws) == 1 else torch.stack(draws, 1)
        return levels.bitwise_and_(LEVELS - 1)

    def seeds(self) -> list[int]:
        """Draw a seed per order for the random draws of a custom module in one step."""
        return [int(own.modules.integers(1 << 62)) for own in self._draws.values()]

    def pairs(self) -> tuple[Tensor, NDArray[np.float64]]:
        """Draw mixup's partners and uniform numbers for one step.

        The caller must draw at every step, because the draws depend on the earlier calls.

        Returns:
            A permutation of the mini-batch, and a number from [0, 1) an example, on the CPU.

        Shape:
            both ``(G, B)``
        """
        drawn = [own.pairs for own in self._draws.values()]
        partners = np.stack([g.permutation(self.batch_size) for g in drawn])
        uniform = np.stack([g.random(self.batch_size) for g in drawn])
        return torch.from_numpy(partners), uniform

    def corners(self) -> NDArray[np.float64]:
        """Draw two uniform numbers an example that place its box in one step, ``(G, B, 2)``."""
        drawn = [own.corners for own in self._draws.values()]
        return np.stack([g.random((self.batch_size, 2)) for g in drawn])

    def places(
        self,
        seeds: Sequence[int],
        folds: Sequence[int] | None = None,
        starts: Sequence[int] | None = None,
    ) -> list[int]:
        """Return the number of the order that each candidate follows, K numbers."""
        return [self.keys.index(key) for key in _keys(seeds, folds, starts)]

    def index(
        self,
        seeds: Sequence[int],
        folds: Sequence[int] | None = None,
        starts: Sequence[int] | None = None,
    ) -> Tensor | None:
        """Return the order of each candidate, ``(K,)``; None if there is only one order."""
        if len(self.keys) == 1:
            return None
        return torch.tensor(self.places(seeds, folds, starts), device=self.device)


def _levels(generator: torch.Generator, shape: tuple[int, ...], device: torch.device) -> Tensor:
    """Draw numbers of 16 bits, int16 of a shape."""
    n_drawn = math.prod(shape)
    # Four levels a draw, because a draw takes as long as 60 operations on numbers.
    drawn = torch.empty(-(-n_drawn // 4), dtype=torch.int64, device=device)
    return drawn.random_(generator=generator).view(torch.int16)[:n_drawn].view(shape)


def _keys(
    seeds: Sequence[int], folds: Sequence[int] | None, starts: Sequence[int] | None
) -> list[OrderKey]:
    """Return the division, the seed and the start of each candidate."""
    none = [0] * len(seeds)
    return list(zip(folds or none, seeds, starts or none, strict=True))


def _entropy(fold: int, seed: int) -> int:
    """Return a different seed for every division; the first division has the seed itself."""
    if fold == 0:
        return seed
    return int(np.random.SeedSequence([fold, abs(seed), seed < 0]).generate_state(1)[0])
