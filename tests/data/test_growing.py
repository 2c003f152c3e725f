"""Blocks of the training rows: an order, and the rows before each block."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from autoloss.data.growing import FEWEST, MOST, block_ends, growing_divisions, training_order
from autoloss.data.resample import RowPool


def pool(n: int = 600, *, groups: bool = False, order: bool = False) -> RowPool:
    random = np.random.default_rng(n)
    rows = np.sort(random.permutation(2 * n)[:n])
    codes = random.integers(0, 3, 2 * n)
    return RowPool(
        rows,
        codes,
        random.integers(0, n // 10, 2 * n) if groups else None,
        random.permutation(2 * n).astype(float) if order else None,
    )


@pytest.mark.parametrize("more", [{}, {"groups": True}, {"order": True}])
def test_a_block_follows_the_rows_that_its_networks_learn_from(more: dict[str, bool]) -> None:
    given = pool(**more)
    order = training_order(given, 0)
    assert sorted(order) == given.rows.tolist()
    divisions = list(growing_divisions(given, 0))
    assert len(divisions) >= 3
    at = None
    for one in divisions:
        assert one.valid is not None
        assert one.test is not None
        before = np.concatenate([one.train, one.valid])
        assert at in (None, len(before))
        assert sorted(before) == sorted(order[: len(before)])
        at = len(before) + len(one.test)
        assert sorted(one.test) == sorted(order[len(before) : at])
    assert at == len(order)


def test_the_order_of_time_is_kept() -> None:
    given = pool(order=True)
    assert given.order is not None
    given.order[given.rows[7]] = np.nan
    order = training_order(given, 0)
    assert order[0] == given.rows[7]
    assert (np.diff(given.order[order[1:]]) > 0).all()


def test_groups_are_whole_in_every_part() -> None:
    given = pool(groups=True)
    assert given.groups is not None
    for one in growing_divisions(given, 0):
        parts = [set(given.groups[rows]) for rows in (one.train, one.valid, one.test)]
        assert len(set.union(*parts)) == sum(map(len, parts))


def test_the_order_is_a_function_of_the_seed() -> None:
    given = pool()
    assert (training_order(given, 1) == training_order(given, 1)).all()
    assert (training_order(given, 1) != training_order(given, 2)).any()


@pytest.mark.parametrize("n_rows", [2, 127, 128, 1_000, 100_000])
def test_blocks_double_and_begin_after_enough_rows(n_rows: int) -> None:
    ends = block_ends(n_rows)
    assert ends[-1] == n_rows
    assert len(ends) <= MOST + 1
    assert all(one >= FEWEST for one in ends[:-1])
    assert all(later in (2 * one, 2 * one - 1) for one, later in itertools.pairwise(ends))


def test_rows_that_cannot_be_divided_have_no_block() -> None:
    given = pool(groups=True)
    single = RowPool(given.rows, given.codes, np.zeros_like(given.codes))
    assert list(growing_divisions(single, 0)) == []
    alike = RowPool(given.rows, given.codes, None, np.zeros(len(given.codes)))
    assert list(growing_divisions(alike, 0)) == []
