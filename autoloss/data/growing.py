"""An order of the training rows in blocks: each block, and the division of the rows before it."""

from __future__ import annotations

from contextlib import suppress

import numpy as np

from autoloss.core.errors import InputError
from autoloss.data.resample import Division, RowPool, holdout_of
from autoloss.data.split import Rows

FEWEST = 64
"""The least number of rows before a block."""
MOST = 6
"""The largest number of blocks that networks code."""


def training_order(pool: RowPool, seed: int) -> Rows:
    """Return the rows of a pool in an order: by time, else at random with groups whole.

    Args:
        pool: The rows.
        seed: Seed of the random order.

    Shape:
        result ``(N,)``.
    """
    if pool.order is not None:
        # A row without a time counts as the past.
        moments = np.nan_to_num(pool.order[pool.rows], nan=-np.inf)
        return pool.rows[np.argsort(moments, kind="stable")]
    random = np.random.default_rng([seed, len(pool.rows)])
    if pool.groups is None:
        return pool.rows[random.permutation(len(pool.rows))]
    names, groups = np.unique(pool.groups[pool.rows], return_inverse=True)
    place = random.permutation(len(names))
    return pool.rows[np.argsort(place[groups], kind="stable")]


def block_ends(n_rows: int) -> list[int]:
    """Return the ends of blocks that double, the last of which holds half of the rows.

    Examples:
        >>> block_ends(1000)
        [125, 250, 500, 1000]
        >>> block_ends(100)
        [100]
    """
    ends = [n_rows]
    while len(ends) <= MOST and -(-ends[0] // 2) >= FEWEST:
        ends.insert(0, -(-ends[0] // 2))
    return ends


def growing_divisions(pool: RowPool, seed: int) -> list[Division]:
    """Return the division of the rows before each block, with the block as its test rows.

    The rows before are divided into training and validation rows. The first block has no rows
    before it and no division. A block before which the rows cannot be divided joins the next.

    Args:
        pool: The rows.
        seed: Seed of order and divisions.
    """
    divisions: list[Division] = []
    order = training_order(pool, seed)
    ends = block_ends(len(order))[:-1]
    if pool.groups is not None and pool.order is None:
        # A block begins where a group begins.
        groups = pool.groups[order]
        firsts = np.flatnonzero(groups[1:] != groups[:-1]) + 1
        ends = sorted({int(firsts[firsts <= end].max(initial=0)) for end in ends} - {0})
    found: list[tuple[int, Division]] = []
    for begin in ends:
        before = RowPool(np.sort(order[:begin]), pool.codes, pool.groups, pool.order)
        with suppress(InputError):
            found.append((begin, holdout_of(before, seed)))
    stop = len(order)
    for begin, division in reversed(found):
        block = np.sort(order[begin:stop])
        divisions.insert(0, Division(division.train, division.valid, block))
        stop = begin
    return divisions
