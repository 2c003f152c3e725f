"""Division of rows with several labels: rare labels reach every part, and no answer is lost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from autoloss.core.errors import InputError
from autoloss.data.deal import deal, hold_out
from autoloss.data.resample import RowPool, search_divisions
from autoloss.data.split import cut


def answers_of(
    n_rows: int, n_labels: int, *, rarest: float = 0.01, missing: float = 0.0, seed: int = 0
) -> np.ndarray:
    """Return answers that depend on each other, with labels from rare to usual."""
    random = np.random.default_rng(seed)
    rates = np.geomspace(rarest, 0.7, n_labels)
    common = random.random((n_rows, 1))
    answers = (random.random((n_rows, n_labels)) < rates * (0.5 + common)).astype(np.int64)
    answers[random.random(answers.shape) < missing] = -1
    return answers


def gap(answers: np.ndarray, parts: np.ndarray) -> float:
    """Return the mean over labels of the spread of their yes among the parts, in rows."""
    counts = [(answers[parts == part] == 1).sum(0) for part in np.unique(parts[parts >= 0])]
    return float(np.ptp(counts, axis=0).mean())


def test_labels_are_spread_more_evenly_than_by_chance() -> None:
    answers = answers_of(1_000, 12)
    folds = deal(answers, n_folds=5, seed=0)
    assert np.ptp(np.bincount(folds[folds >= 0])) <= 20
    chance = np.random.default_rng(0).permutation(np.arange(1_000) % 5)
    assert gap(answers, folds) < gap(answers, chance) / 4
    rare = answers[:, np.argmin(answers.sum(0))] == 1
    assert rare.sum() >= 5
    assert np.bincount(folds[rare], minlength=5).min() >= 1


def test_a_single_label_is_dealt_as_its_classes_are() -> None:
    codes = (np.arange(200) % 10 == 0).astype(np.int64)
    folds = deal(codes[:, None], n_folds=5, seed=0)
    for code in (0, 1):
        assert np.ptp(np.bincount(folds[codes == code])) == 0


@settings(max_examples=40)
@given(
    n_rows=st.integers(6, 60),
    n_labels=st.integers(1, 8),
    n_groups=st.sampled_from([None, 5, 12]),
    missing=st.sampled_from([0.0, 0.4]),
    seed=st.integers(0, 99),
)
def test_no_division_takes_the_last_row_of_an_answer_from_the_training_rows(
    n_rows: int, n_labels: int, n_groups: int | None, missing: float, seed: int
) -> None:
    answers = answers_of(n_rows, n_labels, rarest=0.05, missing=missing, seed=seed)
    random = np.random.default_rng(seed)
    groups = None if n_groups is None else random.integers(0, n_groups, n_rows)
    rows = np.arange(n_rows)
    try:
        folds = deal(answers, n_folds=4, seed=seed, groups=groups)
        chosen = hold_out(rows, answers, size=n_rows // 4, seed=seed, groups=groups)
    except InputError as error:
        # Each row or group is the only one with some answer.
        assume("second row" not in str(error))
        raise
    held = [folds == fold for fold in range(folds.max() + 1)] + [np.isin(rows, chosen)]
    for out in held:
        assert out.any()
        for answer in (0, 1):
            there = (answers == answer).any(0)
            assert ((answers[~out] == answer).any(0) == there).all()
        if groups is not None:
            assert not np.intersect1d(groups[out], groups[~out]).size


@pytest.mark.parametrize("n_groups", [None, 60])
def test_a_part_that_is_cut_off_has_rows_of_every_label_with_two(n_groups: int | None) -> None:
    answers = answers_of(600, 30, rarest=0.005)
    groups = None if n_groups is None else np.arange(600) % n_groups
    chosen = cut(np.arange(600), answers, size=120, seed=1, spare=2, groups=groups)
    assert abs(len(chosen) - 120) <= 12
    kept = np.setdiff1d(np.arange(600), chosen)
    several = (answers == 1).sum(0) >= 2
    if groups is None:
        assert ((answers[chosen] == 1).any(0) | ~several).all()
    assert ((answers[kept] == 1).any(0) == (answers == 1).any(0)).all()


def test_the_seed_decides_and_missing_answers_do_not_count() -> None:
    answers = answers_of(300, 6, missing=0.5)
    one, same, other = (deal(answers, n_folds=4, seed=seed).tolist() for seed in (1, 1, 2))
    assert one == same
    assert one != other
    known = [(answers[np.array(one) == fold] >= 0).sum(0) for fold in range(4)]
    assert np.ptp(known, axis=0).max() <= 12


def test_divisions_of_a_search_take_answers() -> None:
    answers = answers_of(400, 5)
    kind, divisions = search_divisions(
        RowPool(np.arange(400), answers), folds=5, seed=0, is_given=False
    )
    assert kind == "cross_validation"
    assert len(divisions) == 5
    order = np.arange(400, dtype=float)
    late = answers.copy()
    late[:350, 0] = 0
    late[350:, 0] = 1
    for codes, expected in ((answers, 2), (late, 2)):
        pool = RowPool(np.arange(400), codes, order=order)
        kind, divisions = search_divisions(pool, folds=5, seed=0, is_given=False)
        assert len(divisions) == expected
    # The oldest rows lack an answer that later training rows have.
    late[250:, 0] = 1
    pool = RowPool(np.arange(400), late, order=order)
    assert len(search_divisions(pool, folds=5, seed=0, is_given=False)[1]) == 1


def test_every_row_alone_with_an_answer_cannot_be_held_out() -> None:
    with pytest.raises(InputError, match="a second row"):
        deal(np.eye(3, dtype=np.int64), n_folds=2, seed=0)
