from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoloss.core.errors import InputError
from autoloss.data.split import allocate, cut, part_size

ROWS = np.arange(1000)
CODES = np.repeat([0, 1, 2], [700, 290, 10])


def test_a_stratified_cut_keeps_the_shares() -> None:
    chosen = cut(ROWS, CODES, size=200, seed=0, spare=2)
    assert np.bincount(CODES[chosen]).tolist() == [140, 58, 2]
    assert (np.diff(chosen) > 0).all()


def test_the_seed_decides_which_rows() -> None:
    one, same, other = (cut(ROWS, CODES, size=200, seed=s, spare=2).tolist() for s in (1, 1, 2))
    assert one == same
    assert one != other


@settings(max_examples=60)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=30), st.integers(1, 2))
def test_every_class_keeps_rows_and_gives_a_row_if_it_can(counts: list[int], spare: int) -> None:
    rows = np.array(counts)
    size = part_size(int(rows.sum()), test=True)
    quota = allocate(rows, size, spare=spare)
    assert (rows - quota >= np.minimum(rows, 1)).all()
    assert (quota[rows == 1] == 0).all()
    assert (quota[rows > 1] >= 1).all()
    assert (rows - quota >= spare)[rows > spare].all()
    assert abs(quota.sum() - size) <= len(rows)


@pytest.mark.parametrize("n_groups", [20, 200, 4000])
def test_groups_stay_whole(n_groups: int) -> None:
    rng = np.random.default_rng(0)
    rows = np.arange(10_000)
    groups = rng.integers(0, n_groups, len(rows))
    codes = (rng.random(len(rows)) < 0.3).astype(np.int64)
    chosen = cut(rows, codes, size=2000, seed=0, spare=2, groups=groups)
    rest = np.setdiff1d(rows, chosen)
    assert not set(groups[chosen]) & set(groups[rest])
    assert abs(len(chosen) - 2000) < 600
    assert abs(codes[chosen].mean() - 0.3) < 0.05


def test_the_latest_rows_are_cut_and_ties_stay_together() -> None:
    order = np.random.default_rng(0).permutation(1000) // 7.0
    chosen = cut(ROWS, CODES, size=200, seed=0, spare=2, order=order)
    rest = np.setdiff1d(ROWS, chosen)
    assert order[chosen].min() > order[rest].max()
    assert 200 <= len(chosen) < 207


def test_rows_without_a_moment_are_the_past() -> None:
    order = np.where(ROWS % 10 == 0, np.nan, ROWS.astype(float))
    chosen = cut(ROWS, CODES, size=200, seed=0, spare=2, order=order)
    assert np.isfinite(order[chosen]).all()


def test_too_few_groups_or_moments_are_refused() -> None:
    with pytest.raises(InputError, match="groups must have"):
        cut(ROWS, CODES, size=200, seed=0, spare=2, groups=np.zeros(1000, dtype=np.int64))
    with pytest.raises(InputError, match="split_by must have"):
        cut(ROWS, CODES, size=200, seed=0, spare=2, order=np.ones(1000))


def test_parts_of_very_large_tables_are_bounded() -> None:
    assert part_size(1000, test=True) == 200
    assert part_size(800, test=False) == 200
    assert part_size(10**7, test=True) == 100_000
    assert part_size(10**7, test=False) == 25_000
