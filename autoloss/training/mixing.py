"""Mixup: the pairs of examples to mix and their shares."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import betainc
from torch import Tensor

from autoloss.losses import Mix
from autoloss.losses.spec_data import SpecData
from autoloss.training.batch import Orders

_NODES = 4097


@dataclass(frozen=True, eq=False)
class BetaQuantile:
    """The quantiles of Beta(alpha, alpha), from a table.

    Near 0 the distribution function is ``c x ** alpha``, so quantiles are nearly linear in
    ``u ** (1 / alpha)``, however steep they are in u. The table is therefore read by
    ``u ** (1 / alpha)``. Quantiles above 1/2 mirror those below.

    Args:
        alpha: Above 0.
        levels: ``(2 u) ** (1 / alpha)`` at each node.
        shares: The quantile there, from 0 to 1/2.

    Examples:
        >>> BetaQuantile.of(0.2)(np.array([0.0, 0.3, 0.5, 0.7])).round(4)
        array([0.    , 0.0579, 0.5   , 0.9421])
    """

    alpha: float
    levels: NDArray[np.float64]
    shares: NDArray[np.float64]

    @classmethod
    @functools.cache
    def of(cls, alpha: float) -> Self:
        """Return the quantiles for an alpha, from a cache."""
        shares = np.linspace(0.0, 0.5, _NODES)
        return cls(alpha, (2.0 * betainc(alpha, alpha, shares)) ** (1.0 / alpha), shares)

    def __call__(self, uniform: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the quantile at every number from [0, 1], of the same shape."""
        levels = (2.0 * np.minimum(uniform, 1.0 - uniform)) ** (1.0 / self.alpha)
        below = np.interp(levels, self.levels, self.shares)
        return np.where(uniform < 0.5, below, 1.0 - below)


@dataclass(frozen=True, eq=False)
class Mixing:
    """The mixup of some of K candidates.

    All candidates turn the same uniform numbers into shares, by their own quantiles: example by
    example, the shares of a larger alpha are nearer to 1/2.

    Args:
        n_candidates: K.
        quantiles: The quantiles of each candidate with mixup, by its number.
        per_example: The candidates with a share for each example; the others have one share for
            a mini-batch.
        dtype: Of the shares.
        device: Where the examples are.
    """

    n_candidates: int
    quantiles: Mapping[int, BetaQuantile]
    per_example: frozenset[int]
    dtype: torch.dtype
    device: torch.device

    @classmethod
    def of(
        cls, specs: Sequence[SpecData], *, dtype: torch.dtype, device: torch.device
    ) -> Self | None:
        """Return the mixup of the candidates, or None if no candidate uses it."""
        alphas = [spec.get("mixup.alpha", 0.0) for spec in specs]
        # Beta(0, 0) has only the shares 0 and 1, which mix nothing.
        found = {k: BetaQuantile.of(alpha) for k, alpha in enumerate(alphas) if alpha > 0.0}
        each = frozenset(k for k in found if specs[k].get("mixup.per_example", 0))
        return cls(len(specs), found, each, dtype, device) if found else None

    def draw(self, orders: Orders, places: Sequence[int]) -> Mix:
        """Draw the mixup of one step; a candidate without mixup has a share of 1.

        Args:
            orders: Draws for each order.
            places: Which order each candidate follows.
        """
        partners, uniform = orders.pairs()
        share = np.ones((self.n_candidates, orders.batch_size if self.per_example else 1))
        for k, quantile in self.quantiles.items():
            drawn = uniform[places[k]]
            share[k] = quantile(drawn if k in self.per_example else drawn[:1])
        own = partners if len(partners) == 1 else partners[list(places)]
        return Mix(
            partner=own.to(self.device),
            share=torch.from_numpy(share).to(dtype=self.dtype, device=self.device),
        )


def weighted_mix(mix: Mix, weights: Tensor) -> tuple[Mix, Tensor]:
    """Return the mixup of the labels of weighted items, and the weights of the mixed items.

    An item of weight w and a partner of weight v count ``share * w * L + (1 - share) * v * L'``,
    which is the weight ``share * w + (1 - share) * v`` times a mixture with another share. A
    missing label has the weight 0 and does not count.

    Args:
        mix: The mixup of the inputs.
        weights: Weights of the items.

    Shape:
        ``weights (1, B, ...)`` or ``(K, B, ...)``; the mixup returned has shares of the shape of
        the weights returned, ``(K, B, ...)``.
    """
    weights = weights.expand(len(mix.share), *weights.shape[1:])
    mixed = mix.mixed(weights)
    own = mix.share_for(weights) * weights
    return Mix(mix.partner, torch.where(mixed > 0, own / mixed, 1.0)), mixed
