"""Mixup and CutMix: the pairs of examples to mix, their shares, and boxes of images."""

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

from autoloss.core.errors import InputError
from autoloss.losses import Mix
from autoloss.losses.spec_data import SpecData
from autoloss.losses.targets import box_in, share_outside
from autoloss.training.batch import Orders

_NODES = 4097


@dataclass(frozen=True, eq=False)
class BetaQuantile:
    """The quantiles of Beta(alpha, alpha), from a table.

    Near 0 the distribution function is ``c x ** alpha``, so quantiles are nearly linear in
    ``u ** (1 / alpha)``, however steep they are in u. The table is therefore read by
    ``u ** (1 / alpha)``. Quantiles above 1/2 mirror the quantiles below.

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
    """The mixtures of some of K candidates.

    All candidates turn the same uniform numbers into shares, by their own quantiles: example by
    example, the shares of a larger alpha are nearer to 1/2.

    Args:
        n_candidates: K.
        quantiles: The quantiles of each candidate that mixes, by its number.
        per_example: The candidates with a share for each example; the others have one share for
            a mini-batch.
        cutting: The candidates that cut a box out of the partner's image.
        size: Height and width of the images, if there are any.
        dtype: Of the shares.
        device: Where the examples are.
    """

    n_candidates: int
    quantiles: Mapping[int, BetaQuantile]
    per_example: frozenset[int]
    cutting: frozenset[int]
    size: tuple[int, int] | None
    dtype: torch.dtype
    device: torch.device

    @classmethod
    def of(
        cls,
        specs: Sequence[SpecData],
        *,
        dtype: torch.dtype,
        device: torch.device,
        size: tuple[int, int] | None = None,
    ) -> Self | None:
        """Return the mixtures of the candidates, or None if no candidate mixes.

        Raises:
            InputError: A candidate cuts boxes, but the inputs are not images.
        """
        found = {
            k: BetaQuantile.of(spec[f"{spec.mixture}.alpha"])
            for k, spec in enumerate(specs)
            if spec.mixture
        }
        each = frozenset(k for k in found if specs[k][f"{specs[k].mixture}.per_example"])
        cutting = frozenset(k for k in found if specs[k].mixture == "cutmix")
        if cutting and size is None:
            raise InputError("cutmix must be given images, but the inputs are not images.")
        return cls(len(specs), found, each, cutting, size, dtype, device) if found else None

    def draw(self, orders: Orders, places: Sequence[int], lengths: Tensor | None = None) -> Mix:
        """Draw the mixture of one step; a candidate that does not mix has a share of 1.

        Args:
            orders: Draws for each order.
            places: Which order each candidate follows.
            lengths: For sequences, the tokens of each row of the mini-batches, with its pad.

        Shape:
            lengths ``(G, B)``.
        """
        partners, uniform = orders.pairs()
        corners = orders.corners() if self.cutting else None
        share = np.ones((self.n_candidates, orders.batch_size if self.per_example else 1))
        boxes = np.zeros((*share.shape, 4), dtype=np.int64)
        for k, quantile in self.quantiles.items():
            count = None if k in self.per_example else 1
            share[k] = quantile(uniform[places[k]][:count])
            if k in self.cutting:
                assert corners is not None
                assert self.size is not None
                boxes[k] = box_in(share[k], corners[places[k]][: share.shape[1]], self.size)
                boxes[k] = boxes[k] if count is None else boxes[k, :1]
                share[k] = share_outside(boxes[k], self.size)
        shares = torch.from_numpy(share)
        if lengths is not None:
            partners, shares = of_tokens(partners, shares, lengths.cpu(), places)
        own = partners if len(partners) == 1 else partners[list(places)]
        return Mix(
            partner=own.to(self.device),
            share=shares.to(dtype=self.dtype, device=self.device),
            boxes=torch.from_numpy(boxes).to(self.device) if self.cutting else None,
        )


def of_tokens(
    partners: Tensor, shares: Tensor, lengths: Tensor, places: Sequence[int]
) -> tuple[Tensor, Tensor]:
    """Return the partner of each token of concatenated sequences, and its share.

    Sequences are partners in twos, each token of the token at the same place of the
    other. A token beyond the end of its partner stays as it is, and so does a pad.

    Args:
        partners: A permutation of the sequences of each order, whose neighbours are partners.
        shares: The share of each sequence, or of all.
        lengths: The tokens of each sequence, and its pad.
        places: Which order each candidate follows.

    Shape:
        - partners, lengths: ``(G, B)``
        - shares: ``(K, 1)`` or ``(K, B)``
        - output: ``(G, 1, T)``, and ``(K, 1, 1)`` or ``(K, 1, T)``
    """
    n_orders, n_rows = partners.shape
    paired = n_rows // 2 * 2
    longest = int(lengths.sum(1).max())
    found = torch.arange(longest).repeat(n_orders, 1)
    of_row = torch.zeros(n_orders, longest, dtype=torch.int64)
    for order in range(n_orders):
        mate, own = torch.arange(n_rows), lengths[order]
        one, other = partners[order, :paired].view(-1, 2).unbind(1)
        mate[one], mate[other] = other, one
        first, rows = own.cumsum(0) - own, torch.arange(n_rows).repeat_interleave(own)
        within = torch.arange(len(rows)) - first[rows]
        is_paired = within < torch.minimum(own, own[mate])[rows] - 1
        there = first[mate][rows] + within
        found[order, : len(rows)] = torch.where(is_paired, there, found[order, : len(rows)])
        of_row[order, : len(rows)] = rows
    if shares.shape[1] == 1:
        return found.unsqueeze(1), shares.unsqueeze(1)
    # Pads behind the last token are their own partners, whatever their share.
    return found.unsqueeze(1), shares.gather(1, of_row[list(places)]).unsqueeze(1)


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
