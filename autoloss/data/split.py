"""Selection of rows for a part: stratified, by groups, or by time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autoloss.core.errors import InputError
from autoloss.data.iterative import cut_labels

Rows = NDArray[np.int64]
Codes = NDArray[np.int64]

TEST_SHARE = 0.2
VALID_SHARE = 0.25
# More rows than this add no useful precision to a part and are lost for training.
_MOST_TEST = 100_000
_MOST_VALID = 25_000
# With this many groups, whole groups drawn at random keep the shares of the classes.
_MANY_GROUPS = 2_000


def part_size(n_rows: int, *, test: bool) -> int:
    """Return the number of the `n_rows` for the test part, or of the rest for validation."""
    share, most = (TEST_SHARE, _MOST_TEST) if test else (VALID_SHARE, _MOST_VALID)
    return min(max(1, round(n_rows * share)), most)


def cut(
    rows: Rows,
    codes: Codes,
    *,
    size: int,
    seed: int,
    spare: int,
    groups: Codes | None = None,
    order: NDArray[np.float64] | None = None,
    largest_first: bool = True,
) -> Rows:
    """Choose rows to cut off: whole groups, the latest rows, or a stratified draw.

    Args:
        rows: Row numbers to choose among.
        codes: Class of every row of the table, or its answers for several labels.
        size: The approximate number of rows to cut off.
        seed: Seed of the draw.
        spare: The least number of rows that each class keeps if it has as many.
        groups: Group of every row of the table; a group is cut off whole or not at all.
        order: Time of every row of the table; the latest are cut off.
        largest_first: Whether large groups are chosen first, which keeps the shares of the
            classes best; otherwise groups come in an order that the seed decides.

    Returns:
        The rows cut off, ascending.

    Raises:
        InputError: There are too few groups or moments to divide.

    Shape:
        rows (N,); codes, groups, order (rows of the table,); answers (rows of the table, L).
    """
    if order is not None:
        chosen = _latest(order[rows], size)
    elif codes.ndim == 2:
        own = None if groups is None else groups[rows]
        if own is not None:
            check_groups(len(np.unique(own)))
        random = np.random.default_rng([seed, size])
        chosen = cut_labels(codes[rows], size=size, random=random, groups=own)
    elif groups is not None:
        chosen = _whole_groups(codes[rows], groups[rows], size, seed, largest_first)
    else:
        chosen = _stratified(codes[rows], size, seed, spare)
    return rows[chosen]


def _stratified(codes: Codes, size: int, seed: int, spare: int) -> NDArray[np.bool_]:
    """Choose the same share of every class; a class with one row stays whole."""
    _, codes = np.unique(codes, return_inverse=True)
    counts = np.bincount(codes)
    quota = allocate(counts, size, spare=spare)
    shuffled = np.random.default_rng([seed, size]).permutation(len(codes))
    # Sorting by class keeps the shuffled order within a class.
    ordered = shuffled[np.argsort(codes[shuffled], kind="stable")]
    place = np.arange(len(codes)) - np.repeat(np.cumsum(counts) - counts, counts)
    chosen = np.zeros(len(codes), dtype=bool)
    chosen[ordered[place < np.repeat(quota, counts)]] = True
    return chosen


def allocate(counts: Rows, size: int, *, spare: int) -> Rows:
    """Return the number of rows to cut off from each class, approximately `size` in total.

    Args:
        counts: Rows of each class.
        size: The wanted number of rows.
        spare: Rows that a class keeps if it has more than that; every class keeps one.

    Returns:
        At least one row of every class of two or more rows, none of a class with one.

    Shape:
        counts and result (C,).
    """
    exact = counts * (size / counts.sum())
    quota = np.floor(exact).astype(np.int64)
    left = int(size - quota.sum())
    if left > 0:
        quota[np.argsort(-(exact - quota), kind="stable")[:left]] += 1
    kept = np.where(counts > spare, spare, 1)
    return np.asarray(np.clip(quota, np.minimum(1, counts - kept), counts - kept))


def _latest(moments: NDArray[np.float64], size: int) -> NDArray[np.bool_]:
    """Choose the latest rows; rows of the same moment stay together."""
    # A row without a moment cannot be shown to lie in the future of another.
    filled = np.where(np.isnan(moments), -np.inf, moments)
    border = np.sort(filled)[len(filled) - size]
    chosen = filled >= border
    if chosen.all():
        chosen = filled > border
    if not chosen.any() or chosen.all():
        raise InputError(
            "split_by must have different values to tell past from future, but has too few."
        )
    return np.asarray(chosen, dtype=bool)


def check_groups(n_groups: int) -> None:
    """Refuse rows that all belong to a single group, because they cannot be divided."""
    if n_groups < 2:
        raise InputError("groups must have at least 3 different values, one for each part.")


def _whole_groups(
    codes: Codes, groups: Codes, size: int, seed: int, largest_first: bool
) -> NDArray[np.bool_]:
    """Choose whole groups, so that the shares of the classes stay about the same."""
    names, groups = np.unique(groups, return_inverse=True)
    n_groups = len(names)
    check_groups(n_groups)
    sizes = np.bincount(groups)
    order = np.random.default_rng([seed, n_groups]).permutation(n_groups)
    taken = np.zeros(n_groups, dtype=bool)
    if n_groups > _MANY_GROUPS:
        taken[order[np.cumsum(sizes[order]) <= size]] = True
    else:
        _, codes = np.unique(codes, return_inverse=True)
        table = np.zeros((n_groups, codes.max() + 1))
        np.add.at(table, (groups, codes), 1.0)
        wanted = table.sum(axis=0) * (size / len(codes))
        # Large groups come first; small groups then even out the rest.
        tried = order[np.argsort(-sizes[order], kind="stable")] if largest_first else order
        for group in tried:
            closer = np.abs(wanted - table[group]).sum() < np.abs(wanted).sum()
            if closer and taken.sum() < n_groups - 1:
                taken[group] = True
                wanted = wanted - table[group]
    if not taken.any():
        taken[order[np.argmin(sizes[order])]] = True
    return np.asarray(taken[groups], dtype=bool)
