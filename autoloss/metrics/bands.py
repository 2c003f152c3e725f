"""The band in which shares of rows lie by chance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


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
