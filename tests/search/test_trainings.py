from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from autoloss.search.trainings import chances_of_lowest, corrected_error, paired_interval

ROWS = {"n_train": 750, "n_valid": 250}
DIFFERENCES = np.array([-0.012, -0.004, -0.009, 0.002, -0.007])


def test_interval_is_students_with_the_corrected_scale() -> None:
    scale = math.sqrt(1 / 5 + 250 / 750) * DIFFERENCES.std(ddof=1)
    low, high = stats.t.interval(0.95, 4, loc=DIFFERENCES.mean(), scale=scale)
    found = paired_interval(DIFFERENCES, **ROWS)
    assert found == pytest.approx((DIFFERENCES.mean(), low, high))
    assert corrected_error(DIFFERENCES, **ROWS) == pytest.approx(scale)


def test_without_held_out_rows_in_common_it_is_the_plain_t_interval() -> None:
    found = paired_interval(DIFFERENCES, n_train=10**12, n_valid=1)
    plain = stats.ttest_1samp(DIFFERENCES, 0.0).confidence_interval()
    assert found[1:] == pytest.approx(plain)


def test_one_training_has_a_mean_and_no_ends() -> None:
    mean, low, high = paired_interval(np.array([0.3]), **ROWS)
    assert mean == 0.3
    assert math.isnan(low)
    assert math.isnan(high)
    assert math.isnan(corrected_error(np.array([0.3]), **ROWS))


def test_a_training_that_diverged_leaves_no_interval() -> None:
    for broken in (np.nan, np.inf):
        some = np.array([0.1, broken, 0.2])
        assert np.isnan(paired_interval(some, **ROWS)).all()
        assert math.isnan(corrected_error(some, **ROWS))


def test_chance_of_two_is_the_correlated_t_test() -> None:
    rng = np.random.default_rng(3)
    figures = 0.4 + 0.05 * rng.normal(size=(1, 5)) + 0.01 * rng.normal(size=(2, 5))
    difference = figures[0] - figures[1]
    scale = math.sqrt(1 / 5 + 250 / 750) * difference.std(ddof=1)
    first = stats.t.sf(difference.mean() / scale, 4)
    assert 0.05 < first < 0.95
    chances = chances_of_lowest(figures, **ROWS, draws=100_000)
    assert chances == pytest.approx([first, 1.0 - first], abs=0.005)


def test_what_moves_all_alike_changes_no_chance() -> None:
    rng = np.random.default_rng(0)
    figures = rng.normal(size=(4, 5))
    chances = chances_of_lowest(figures, **ROWS)
    assert chances.sum() == pytest.approx(1.0)
    assert chances.argmax() == figures.mean(axis=1).argmin()
    shifted = chances_of_lowest(figures + np.array([30.0, -10.0, 20.0, 0.0, 5.0]), **ROWS)
    assert shifted == pytest.approx(chances, abs=1e-3)


def test_equal_candidates_share_their_chance() -> None:
    figures = np.array([[0.5, 0.6, 0.7], [0.5, 0.6, 0.7], [5.0, 5.1, 5.2]])
    assert chances_of_lowest(figures, **ROWS) == pytest.approx([0.5, 0.5, 0.0])


def test_one_training_has_no_chances() -> None:
    assert np.isnan(chances_of_lowest(np.array([[0.1], [0.2]]), **ROWS)).all()
