"""The divisions into training and validation rows, which depend on the number of rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from autoloss.core.errors import InputError
from autoloss.data.deal import deal, hold_out
from autoloss.data.iterative import has_answers_of
from autoloss.data.split import Codes, Rows, cut, part_size

Kind = Literal["holdout", "repeated_holdout", "cross_validation", "forward"]

LARGE = 10_000
"""The number of rows from which on a single holdout is enough."""
SMALL = 2_000
"""The number of rows under which cross-validation holds out every row."""
REPEATS = 2
# The purposes of seeds.
_REPEAT, _FRESH, _OUTER, _INNER, _COVER = range(5)
_FEWEST_FOLDS = 4
_TRIES = 20


@dataclass(frozen=True, eq=False)
class RowPool:
    """Rows that train and, where no validation rows are given, validate.

    Args:
        rows: Their numbers, ascending.
        codes: Class of every row of the table, or its answers for several labels; below 0 where
            it has none.
        groups: Group of every row of the table; None if rows are not grouped.
        order: Time of every row of the table, NaN if missing; None if time does not count.

    Shape:
        rows (N,); codes, groups, order (rows of the table,); answers (rows of the table, L).
    """

    rows: Rows
    codes: Codes
    groups: Codes | None = None
    order: NDArray[np.float64] | None = None


@dataclass(frozen=True, eq=False)
class Division:
    """Row numbers of the parts of one fold, each ascending.

    Args:
        train: Rows to train on.
        valid: Rows held out; None if validation rows are given.
        test: Rows of an outer fold; None outside nested cross-validation.
    """

    train: Rows
    valid: Rows | None = None
    test: Rows | None = None


def search_divisions(
    pool: RowPool, *, folds: int, seed: int, is_given: bool
) -> tuple[Kind, tuple[Division, ...]]:
    """Choose the divisions on which candidates are compared.

    Args:
        pool: The rows.
        folds: Folds of a cross-validation; 1 for one holdout whatever the number of rows.
        seed: Seed of the divisions.
        is_given: Whether validation rows are given, so that all rows of the pool train.

    Raises:
        InputError: There are too few groups or moments.
    """
    if is_given:
        return "holdout", (Division(pool.rows),)
    n_rows = len(pool.rows)
    one = folds == 1 or n_rows >= LARGE
    if pool.order is not None:
        forward = _forward(pool, at_most=1 if one else 2)
        return ("holdout" if len(forward) == 1 else "forward"), forward
    if one:
        return "holdout", (_holdout(pool, seed),)
    if n_rows >= SMALL:
        repeats = [_holdout(pool, seed)]
        seeds = (_seed(_REPEAT, i, seed) for i in range(_TRIES))
        return "repeated_holdout", (*repeats, *_different(pool, seeds, REPEATS - 1, repeats))
    return "cross_validation", tuple(_dealt(pool, n_folds=folds, seed=seed))


def fresh_divisions(
    pool: RowPool, count: int, *, seeds: tuple[int, ...], before: Sequence[Division]
) -> list[Division]:
    """Draw holdouts that differ from each other and from earlier holdouts as far as possible.

    Args:
        pool: The rows.
        count: How many.
        seeds: Seeds of the divisions, which decide together.
        before: Divisions that were used before.

    Raises:
        InputError: There are too few groups.
    """
    drawn = (_seed(_FRESH, i, *seeds) for i in range(_TRIES + count))
    return _different(pool, drawn, count, before)


def covering_divisions(
    pool: RowPool, count: int, *, folds: int, seeds: tuple[int, ...]
) -> list[Division]:
    """Draw divisions that hold out every row as often, deal after deal.

    Args:
        pool: The rows.
        count: How many divisions; with fewer than `folds`, of four folds at least, some rows may
            not be held out.
        folds: Folds of a deal; fewer where there are fewer groups.
        seeds: Seeds of the deals, which decide together.

    Raises:
        InputError: There are too few groups.
    """
    n_folds = folds if count >= folds else max(count, _FEWEST_FOLDS)
    divisions: list[Division] = []
    deal_number = 0
    while len(divisions) < count:
        seed = _seed(_COVER, deal_number, *seeds)
        divisions += _dealt(pool, n_folds=max(2, n_folds), seed=seed)
        deal_number += 1
    return divisions[:count]


def outer_divisions(
    pool: RowPool, *, folds: int, repeats: int, seed: int, is_given: bool
) -> tuple[Division, ...]:
    """Divide rows for nested cross-validation: an outer test part and an inner division.

    Args:
        pool: The rows.
        folds: Outer folds of one repeat; fewer where there are fewer groups.
        repeats: How often all rows are tested.
        seed: Seed of the divisions.
        is_given: Whether validation rows are given, so that all rows not tested train.

    Returns:
        The outer folds, one repeat after the other.

    Raises:
        InputError: There are too few groups.
    """
    divisions = []
    for repeat in range(repeats):
        outer = _dealt(pool, n_folds=max(2, folds), seed=_seed(_OUTER, repeat, seed))
        for i, fold in enumerate(outer):
            rest = RowPool(fold.train, pool.codes, pool.groups)
            drawn = _seed(_INNER, repeat, i, seed)
            inner = Division(rest.rows) if is_given else _holdout(rest, drawn, False)
            divisions.append(Division(inner.train, inner.valid, fold.valid))
    return tuple(divisions)


def _different(
    pool: RowPool, seeds: Iterable[int], count: int, before: Sequence[Division]
) -> list[Division]:
    """Draw holdouts by `seeds`; earlier holdouts again only where no others are left."""
    new: list[Division] = []
    again: list[Division] = []
    for seed in seeds:
        drawn = _holdout(pool, seed, False)
        known = any(np.array_equal(drawn.train, other.train) for other in (*before, *new))
        (again if known else new).append(drawn)
        if len(new) == count:
            break
    return (new + again)[:count]


def holdout_of(pool: RowPool, seed: int) -> Division:
    """Hold out the latest quarter of the rows, or another quarter where time does not count.

    Args:
        pool: The rows.
        seed: Seed of the draw.

    Raises:
        InputError: There are too few groups or moments.
    """
    if pool.order is not None:
        return _forward(pool, at_most=1)[0]
    return _holdout(pool, seed, False)


def _holdout(pool: RowPool, seed: int, largest_first: bool = True) -> Division:
    """Hold out a quarter of the rows, at most 25 000."""
    chosen = hold_out(
        pool.rows,
        pool.codes,
        size=part_size(len(pool.rows), test=False),
        seed=seed,
        groups=pool.groups,
        largest_first=largest_first,
    )
    return Division(np.setdiff1d(pool.rows, chosen, assume_unique=True), chosen)


def _dealt(pool: RowPool, *, n_folds: int, seed: int) -> list[Division]:
    """Return a division for each fold, which holds out that fold."""
    groups = None if pool.groups is None else pool.groups[pool.rows]
    folds = deal(pool.codes[pool.rows], n_folds=n_folds, seed=seed, groups=groups)
    return [
        Division(pool.rows[folds != fold], pool.rows[folds == fold])
        for fold in range(folds.max() + 1)
    ]


def _forward(pool: RowPool, *, at_most: int) -> tuple[Division, ...]:
    """Hold out the latest quarter; and the quarter before it, for rows before that, if it can be.

    It cannot where the rows before it have too few moments, or lack a class that is known later.
    """
    size = part_size(len(pool.rows), test=False)
    valid = cut(pool.rows, pool.codes, size=size, seed=0, spare=1, order=pool.order)
    train = np.setdiff1d(pool.rows, valid, assume_unique=True)
    latest = Division(train, valid)
    if at_most == 1 or len(train) <= size:
        return (latest,)
    try:
        valid = cut(train, pool.codes, size=size, seed=0, spare=1, order=pool.order)
    except InputError:
        return (latest,)
    oldest = np.setdiff1d(train, valid, assume_unique=True)
    if not _has_all(pool.codes[oldest], pool.codes[train]):
        return (latest,)
    return Division(oldest, valid), latest


def _has_all(some: Codes, every: Codes) -> bool:
    """Return whether some of all rows have each class, or each answer for several labels."""
    return has_answers_of(some, every) if every.ndim == 2 else bool(np.isin(every, some).all())


def _seed(*words: int) -> int:
    """Return a different seed for each purpose, number and user's seed."""
    return int(np.random.SeedSequence(words).generate_state(1)[0])
