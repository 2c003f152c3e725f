"""The band in which shares of rows lie by chance."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def chance_band(
    rows: NDArray[np.generic], chance: NDArray[np.float64]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the ends of the central 95 % of shares by chance, from the binomial distribution.

    Args:
        rows: Rows of each bin.
        chance: Probability of a row.

    Shape:
        both ``(bins,)``
    """
    # Loading it takes half a second, and a search needs it at its end.
    from scipy.stats import binom

    low, high = (binom.ppf(level, rows, chance) / rows for level in (0.025, 0.975))
    return tuple(low.tolist()), tuple(high.tolist())


def independent_rows(
    gaps: Tensor,
    bins: Tensor,
    n_bins: int,
    *,
    clusters: Tensor | None,
    weights: Tensor | None = None,
) -> NDArray[np.float64]:
    """Return the number of independent rows that tell as much as the rows of each bin, ``(B,)``.

    Unequal weights reduce it, and so do clusters: by the design effect, the variance of the mean
    gap with clusters over that of independent rows. Rows of a cluster that repeat each other count
    as one row. A design effect below 1 counts as 1. The numbers are whole and at least 1.

    Args:
        gaps: Outcome less its probability.
        bins: The bin of each row.
        n_bins: The number of bins B.
        clusters: The cluster of each row; None if all rows are independent.
        weights: The weight of each row; None for equal weights.

    Shape:
        gaps, bins, clusters and weights ``(N,)``.

    Source:
        Kish 1965, Survey Sampling, chapters 5 and 11.

    Examples:
        >>> gaps, bins = torch.tensor([0.5, -0.5]).repeat(100), torch.zeros(400, dtype=torch.int64)
        >>> twice = torch.arange(200).repeat(2)
        >>> independent_rows(gaps.repeat(2), bins, 1, clusters=twice)
        array([199.])
    """
    weights = torch.ones_like(gaps) if weights is None else weights

    def summed(values: Tensor, index: Tensor = bins, size: int = n_bins) -> Tensor:
        return torch.bincount(index, values.double(), size)

    mass, squares = summed(weights), summed(weights.square())
    rows = mass.square() / squares.clamp_min(1e-300)
    if clusters is not None:
        clusters = clusters.to(bins.device)
        off = weights * (gaps - (summed(weights * gaps) / mass.clamp_min(1e-300))[bins])
        keys, place = torch.unique(clusters * n_bins + bins, return_inverse=True)
        of_cluster = summed(off, place, len(keys)).square()
        count, number = (torch.bincount(one, minlength=n_bins) for one in (keys % n_bins, bins))
        spread = summed(of_cluster, keys % n_bins) * count / (count - 1).clamp_min(1)
        alone = summed(off.square()) * number / (number - 1).clamp_min(1)
        # A single cluster tells nothing of its spread.
        effect = torch.where(count > 1, spread / alone.clamp_min(1e-300), rows)
        rows = rows / effect.clamp_min(1.0)
    found: NDArray[np.float64] = rows.round().clamp_min(1.0).cpu().numpy()
    return found
