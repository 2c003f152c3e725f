from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from autoloss.records import TrialRecord
from autoloss.verdict.admissible import Figures, winner
from autoloss.verdict.training_runs import (
    chances_by_rule,
    chances_of_lowest,
    corrected_error,
    drawn_means,
    paired_interval,
)

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


def test_a_shared_shift_changes_no_chance() -> None:
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


def rule_of_draws(metric, log_loss, simplicity, draws, seed):
    """Return the candidates' shares of wins by `admissible.winner` over drawn means, slowly."""

    class Fixed:
        def of_metric(self, one, best):
            return corrected_error(metric[one.number] - metric[best.number], **ROWS)

        def of_log_loss(self, one, best):
            return corrected_error(log_loss[one.number] - log_loss[best.number], **ROWS)

    both = drawn_means(np.stack([metric, log_loss]), draws=draws, seed=seed, **ROWS)
    count = np.zeros(len(metric))
    trials = [TrialRecord(m, "complete", {"base": str(m)}, {}) for m in range(len(metric))]
    for drawn in both.swapaxes(0, 1):
        pool = [Figures(t, *drawn[:, t.number]) for t in trials]
        count[winner(pool, Fixed(), lambda t: (simplicity[t.number],)).trial.number] += 1
    return count / draws


def test_chance_by_the_rule_is_how_often_the_rule_chooses_a_drawn_candidate() -> None:
    rng = np.random.default_rng(5)
    metric = 0.2 + 0.01 * rng.normal(size=(4, 5))
    log_loss = 0.5 + 0.02 * rng.normal(size=(4, 5))
    rank = np.array([0, 1, 2, 2])
    chances = chances_by_rule(metric, log_loss, rank, **ROWS, draws=1000, seed=2)
    slow = rule_of_draws(metric, log_loss, rank, 1000, 2)
    assert chances.sum() == pytest.approx(1.0)
    # The oracle also lets a candidate that dominates the winner take its place.
    assert chances == pytest.approx(slow, abs=0.06)


def test_a_candidate_far_ahead_wins_by_the_rule_and_one_training_says_nothing() -> None:
    wave = np.array([1.0, -1.0, 2.0, -2.0, 0.0])
    metric = np.stack([0.2 + 0.001 * wave, 0.3 + 0.001 * wave[::-1]])
    log_loss = np.stack([0.5 + 0.001 * wave, 0.4 + 0.001 * wave[::-1]])
    rank = np.array([1, 0])
    assert chances_by_rule(metric, log_loss, rank, **ROWS) == pytest.approx([1.0, 0.0])
    assert np.isnan(chances_by_rule(metric[:, :1], log_loss[:, :1], rank, **ROWS)).all()
