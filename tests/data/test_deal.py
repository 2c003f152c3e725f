"""Folds and holdouts of rows and groups whose training rows keep every class."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from autoloss.core.errors import InputError
from autoloss.data.deal import deal, hold_out

COUNTS = st.lists(st.integers(1, 40), min_size=1, max_size=8)


def coded(counts: list[int], seed: int = 0) -> np.ndarray:
    codes = np.repeat(np.arange(len(counts)), counts)
    return np.random.default_rng(seed).permutation(codes)


@settings(max_examples=60)
@given(counts=COUNTS, n_folds=st.integers(2, 6), seed=st.integers(0, 3))
def test_each_class_is_spread_within_one_row(counts: list[int], n_folds: int, seed: int) -> None:
    codes = coded(counts)
    if max(counts) == 1:
        with pytest.raises(InputError, match="a second row"):
            deal(codes, n_folds=n_folds, seed=seed)
        return
    folds = deal(codes, n_folds=n_folds, seed=seed)
    used = folds.max() + 1
    sizes = np.bincount(folds[folds >= 0], minlength=used)
    assert np.ptp(sizes) <= 1
    assert used == min(n_folds, sum(count for count in counts if count > 1))
    for code, count in enumerate(counts):
        own = folds[codes == code]
        if count == 1:
            assert own.tolist() == [-1]
        else:
            assert np.ptp(np.bincount(own, minlength=used)) <= 1
            # Whichever fold is held out, a row of the class trains.
            assert np.bincount(own).max() < count


def test_the_folds_have_as_many_rows_of_each_class_as_those_of_scikit_learn() -> None:
    codes = coded([101, 57, 23])
    folds = deal(codes, n_folds=5, seed=0)
    oracle = StratifiedKFold(5, shuffle=True, random_state=0).split(codes, codes)
    theirs = np.array([np.bincount(codes[test]) for _, test in oracle])
    ours = np.array([np.bincount(codes[folds == fold]) for fold in range(5)])
    np.testing.assert_array_equal(np.sort(ours, axis=0), np.sort(theirs, axis=0))


def test_the_seed_decides_the_deal() -> None:
    codes = coded([60, 40])
    groups = np.arange(100) // 4
    for given_groups in (None, groups):
        one, same, other = (
            deal(codes, n_folds=5, seed=seed, groups=given_groups).tolist() for seed in (1, 1, 2)
        )
        assert one == same
        assert one != other


@settings(max_examples=80)
@given(n_groups=st.integers(2, 30), n_classes=st.integers(1, 5), seed=st.integers(0, 99))
def test_groups_are_dealt_whole_and_no_class_leaves_the_training_rows(
    n_groups: int, n_classes: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    groups = random.integers(0, n_groups, 80)
    # Each group knows few classes, so that some stand in one or two groups only.
    favourite = random.integers(0, n_classes, n_groups)
    codes = np.where(random.random(80) < 0.9, favourite[groups], random.integers(0, n_classes, 80))
    try:
        folds = deal(codes, n_folds=4, seed=seed, groups=groups)
    except InputError:
        assert len(np.unique(groups)) < 2 or every_group_alone_has_a_class(codes, groups)
        return
    for group in np.unique(groups):
        assert len(np.unique(folds[groups == group])) == 1
    for fold in range(folds.max() + 1):
        assert (folds == fold).any()
        assert set(codes[folds != fold]) == set(codes)
    if n_groups > 4 and not (folds < 0).any():
        assert folds.max() + 1 == min(4, len(np.unique(groups)))
    rows = np.arange(80)
    for largest_first in (True, False):
        chosen = hold_out(
            rows, codes, size=20, seed=seed, groups=groups, largest_first=largest_first
        )
        rest = np.setdiff1d(rows, chosen)
        assert len(chosen) > 0
        assert not set(groups[chosen]) & set(groups[rest])
        assert set(codes[rest]) == set(codes)


@pytest.mark.parametrize("seed", range(12))
def test_a_class_of_two_groups_always_trains_in_one_of_them(seed: int) -> None:
    # Three rare classes stand in two small groups each, beside a class that is everywhere.
    groups = np.repeat(np.arange(12), np.random.default_rng(seed).integers(3, 9, 12))
    codes = np.where((groups < 6) & (np.arange(len(groups)) % 3 == 0), 1 + groups // 2, 0)
    folds = deal(codes, n_folds=3, seed=seed, groups=groups)
    assert folds.min() == 0
    for fold in range(3):
        assert set(codes[folds != fold]) == set(codes)
    rows = np.arange(len(groups))
    chosen = hold_out(
        rows, codes, size=len(rows) // 2, seed=seed, groups=groups, largest_first=False
    )
    assert len(chosen) > 0
    assert set(np.delete(codes, chosen)) == set(codes)


def test_a_class_trains_even_if_a_fold_would_suit_all_of_its_groups() -> None:
    # Class 0 stands in the groups 0 and 2, which belong together by their other rows.
    tables = [[1, 19, 0], [0, 21, 0], [9, 0, 14], [0, 2, 0], [0, 0, 2]]
    codes = np.concatenate([np.repeat(np.arange(3), table) for table in tables])
    groups = np.repeat(np.arange(5), [sum(table) for table in tables])
    for seed in range(30):
        folds = deal(codes, n_folds=2, seed=seed, groups=groups)
        for fold in range(folds.max() + 1):
            assert set(codes[folds != fold]) == {0, 1, 2}


def every_group_alone_has_a_class(codes: np.ndarray, groups: np.ndarray) -> bool:
    homes = {code: set(groups[codes == code]) for code in codes}
    alone = {next(iter(home)) for home in homes.values() if len(home) == 1}
    return alone == set(groups)


def test_folds_of_groups_are_as_even_as_those_of_scikit_learn() -> None:
    random = np.random.default_rng(0)
    groups = random.integers(0, 60, 900)
    codes = (random.random(900) < 0.1 + 0.4 * (groups % 3 == 0)).astype(np.int64)
    oracle = StratifiedGroupKFold(5, shuffle=True, random_state=0).split(codes, codes, groups)
    theirs = [(len(test), codes[test].mean()) for _, test in oracle]
    folds = deal(codes, n_folds=5, seed=0, groups=groups)
    ours = [(int((folds == fold).sum()), codes[folds == fold].mean()) for fold in range(5)]
    assert (np.ptp(ours, axis=0) <= np.maximum(np.ptp(theirs, axis=0), [20, 0.03])).all()


def test_one_group_or_a_class_in_every_group_alone_cannot_be_divided() -> None:
    codes = np.repeat([0, 1, 2], 10)
    with pytest.raises(InputError, match="groups must have"):
        deal(codes, n_folds=3, seed=0, groups=np.zeros(30, dtype=np.int64))
    for call in (
        lambda: deal(codes, n_folds=3, seed=0, groups=codes),
        lambda: hold_out(np.arange(30), codes, size=8, seed=0, groups=codes),
        lambda: hold_out(np.arange(3), np.arange(3), size=1, seed=0),
    ):
        with pytest.raises(InputError, match="a second row, or group"):
            call()


def test_groups_of_unequal_size_are_held_out_differently_by_another_seed() -> None:
    sizes = np.arange(5, 35)
    groups = np.repeat(np.arange(len(sizes)), sizes)
    codes = np.random.default_rng(0).integers(0, 2, len(groups))
    rows = np.arange(len(groups))
    drawn = {
        tuple(
            hold_out(rows, codes, size=len(rows) // 4, seed=s, groups=groups, largest_first=False)
        )
        for s in range(10)
    }
    assert len(drawn) == 10
    assert all(abs(len(chosen) - len(rows) / 4) < 40 for chosen in drawn)
