"""Points of a scrambled Halton sequence."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

_BASES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29)


def halton_point(number: int, dimensions: int, draw: np.random.Generator) -> NDArray[np.float64]:
    """Return a point of a scrambled Halton sequence, the same as `scipy.stats.qmc.Halton`.

    A search draws points before its first step, and `scipy.stats` takes half a second to load.

    Args:
        number: Its number, from 0.
        dimensions: Its coordinates, at most 10.
        draw: Draws the permutations of the digits; it must be new for every point of a sequence.

    Source:
        Owen 2017, A randomized Halton algorithm in R, arXiv:1706.02808.

    Examples:
        >>> halton_point(0, 2, np.random.default_rng(0)).shape
        (2,)
    """
    # scipy owns a child of the generator.
    own = draw.spawn(1)[0]
    return np.array([_digits(number, base, own) for base in _BASES[:dimensions]])


def _digits(number: int, base: int, draw: np.random.Generator) -> float:
    """Return a coordinate: the digits of a number in a base, permuted, behind the point."""
    # All digits that a float has.
    n_digits = math.ceil(54 / math.log2(base)) - 1
    permutations = np.repeat(np.arange(base)[None], n_digits, axis=0)
    for permutation in permutations:
        draw.shuffle(permutation)
    found, value = 0.0, 1.0 / base
    for permutation in permutations:
        number, digit = divmod(number, base)
        found += permutation[digit] * value
        value /= base
    return found
