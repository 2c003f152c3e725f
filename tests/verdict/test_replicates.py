from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoloss.records import TrialRecord
from autoloss.verdict.finalists import FinalistChoice
from autoloss.verdict.replicates import (
    ReplicateChoice,
    Replicates,
    choose_on_replicates,
    finalist_records,
)
from autoloss.verdict.select import Choice
from autoloss.verdict.training_runs import corrected_error, paired_interval

COMPLEXITY = {"cross_entropy": 0, "brier": 1, "focal": 2, "poly1": 3}
ROWS = {"n_train": 750.0, "n_valid": 250.0}
# Sums to zero; the corrected error of a difference that is `c` times it is `c * UNIT`.
WAVE = np.array([1.0, -1.0, 2.0, -2.0, 0.0])
UNIT = corrected_error(WAVE, **ROWS)


def simplicity(trial):
    return (COMPLEXITY[trial.family],)


def records(*bases):
    return [TrialRecord(n, "complete", {"base": base}, {}) for n, base in enumerate(bases)]


def replicates(metric, log_loss, rows=ROWS):
    return Replicates(tuple(range(len(metric))), np.array(metric), np.array(log_loss), **rows)


def choose(made, trials, **options):
    return choose_on_replicates(
        made, competing=trials, baseline=0, simplicity=simplicity, **options
    )


def rising(mean, by=0.0):
    """Return five values with a mean, plus `by` times a wave."""
    return mean + by * WAVE


@pytest.mark.parametrize(("beyond", "admissible"), [(0.99, (1, 2)), (1.01, (1,))])
def test_admissible_is_within_one_corrected_paired_error_of_the_best(beyond, admissible) -> None:
    worse = 0.20 + beyond * 0.01 * UNIT
    made = replicates(
        [rising(0.40), rising(0.20), rising(worse, 0.01)],
        [rising(0.9), rising(0.5), rising(0.4)],
    )
    choice = choose(made, records("cross_entropy", "poly1", "focal"))
    assert choice.admissible == admissible
    assert choice.challenger == admissible[-1]
    assert "lowest mean error over 5 training runs" in choice.rule


def test_the_plain_error_of_the_mean_would_be_too_small() -> None:
    # Beyond std / sqrt(5), within the corrected error.
    step = 1.2 * WAVE.std(ddof=1) / math.sqrt(5)
    assert step < UNIT
    made = replicates(
        [rising(0.9), rising(0.20), rising(0.20 + 0.01 * step, 0.01)],
        [rising(0.9), rising(0.5), rising(0.4)],
    )
    trials = records("cross_entropy", "poly1", "focal")
    assert choose(made, trials).challenger == 2
    nearly_all = {"n_train": 1e12, "n_valid": 1.0}
    alone = replicates(made.metric, made.log_loss, nearly_all)
    assert choose(alone, trials).challenger == 1


@pytest.mark.parametrize(("beyond", "family"), [(0.99, "brier"), (1.01, "poly1")])
def test_ties_in_log_loss_go_to_the_simpler(beyond, family) -> None:
    trials = records("cross_entropy", "poly1", "brier")
    made = replicates(
        [rising(0.4), rising(0.2), rising(0.2)],
        [rising(0.9), rising(0.5), rising(0.5 + beyond * 0.01 * UNIT, 0.01)],
    )
    assert trials[choose(made, trials).challenger].family == family


def test_pairing_counts_and_not_the_spread_that_all_share() -> None:
    shared = 0.3 * WAVE
    made = replicates(
        [0.9 + shared, 0.20 + shared, 0.21 + shared], [rising(0.9), rising(0.5), rising(0.4)]
    )
    choice = choose(made, records("cross_entropy", "brier", "focal"))
    assert choice.admissible == (1,)


def test_a_metric_to_be_raised() -> None:
    made = replicates([rising(0.7), rising(0.9), rising(0.8)], [rising(0.5)] * 3)
    trials = records("cross_entropy", "brier", "focal")
    raised = choose(made, trials, metric="average_precision", lower_is_better=False)
    assert raised.challenger == 1
    assert "highest mean average precision" in raised.rule
    assert choose(made, trials).challenger == 2


def test_the_challenger_is_the_best_other_loss_if_any_cross_entropy_wins() -> None:
    made = replicates([rising(0.3), rising(0.2), rising(0.4), rising(0.5)], [rising(0.5)] * 4)
    choice = choose(made, records("cross_entropy", "cross_entropy", "brier", "focal"))
    assert choice.challenger == 2
    assert choice.admissible == (2,)


def test_cross_entropy_alone_is_its_own_challenger() -> None:
    made = replicates([rising(0.3), rising(0.2)], [rising(0.5), rising(0.4)])
    choice = choose(made, records("cross_entropy", "cross_entropy"))
    assert choice.challenger == 0
    assert choice.admissible == (1,)


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_a_loss_that_diverged_once_cannot_win(broken) -> None:
    metric = np.array([rising(0.3), rising(0.1), rising(0.2)])
    log_loss = np.array([rising(0.5), rising(0.1), rising(0.4)])
    log_loss[1, 3] = broken
    trials = records("cross_entropy", "brier", "focal")
    assert choose(replicates(metric, log_loss), trials).challenger == 2
    metric[2, 0] = broken
    assert choose(replicates(metric, log_loss), trials).challenger == 0


def test_the_validation_rows_decide_if_there_is_one_training() -> None:
    made = replicates([[0.3], [0.1], [0.2]], [[0.5], [0.4], [0.3]])
    trials = records("cross_entropy", "brier", "focal")
    assert choose(made, trials).admissible == (1,)
    before = Choice(trials[2], trials[0], (1, 2), (1, 2), "the rule", best=2)
    found = choose(made, trials, fallback=before)
    assert found == ReplicateChoice(2, (1, 2), "the rule")
    # More training runs decide themselves.
    several = replicates([rising(0.3), rising(0.1), rising(0.2)], [rising(0.5)] * 3)
    assert choose(several, trials, fallback=before).challenger == 1


def test_shapes_that_do_not_fit_are_named() -> None:
    with pytest.raises(ValueError, match=r"metric.shape=\(2, 5\)"):
        Replicates((0, 1, 2), np.zeros((2, 5)), np.zeros((2, 5)), **ROWS)
    with pytest.raises(ValueError, match="R=0"):
        Replicates((0,), np.zeros((1, 0)), np.zeros((1, 0)), **ROWS)


@settings(max_examples=60)
@given(st.lists(st.sampled_from(sorted(COMPLEXITY)), min_size=1, max_size=6), st.integers(0, 99))
def test_no_admissible_finalist_as_simple_dominates_the_challenger(bases, seed) -> None:
    trials = records("cross_entropy", *bases)
    rng = np.random.default_rng(seed)
    made = replicates(*(rng.integers(0, 4, size=(2, len(trials), 5)) / 4.0))
    choice = choose(made, trials)
    if all(base == "cross_entropy" for base in bases):
        assert choice.challenger == 0
        return
    winner = choice.challenger
    assert winner in choice.admissible
    means = np.stack([made.metric.mean(1), made.log_loss.mean(1)], 1)
    for number in choice.admissible:
        if simplicity(trials[number]) <= simplicity(trials[winner]):
            at_most = (means[number] <= means[winner]).all()
            assert not (at_most and (means[number] < means[winner]).any())


PICKED = (
    FinalistChoice(1, ("best of focal", "lowest error")),
    FinalistChoice(0, ("tuned cross-entropy",)),
    FinalistChoice(2, ("default cross-entropy",), competes=False),
)


def test_records_have_the_interval_to_tuned_cross_entropy() -> None:
    rng = np.random.default_rng(1)
    metric, log_loss = rng.random((2, 3, 5))
    made = replicates(metric, log_loss)
    choice = ReplicateChoice(1, (0, 1), "")
    focal, tuned, default = finalist_records(PICKED, made, choice, baseline=0)
    assert [one.number for one in (focal, tuned, default)] == [1, 0, 2]
    assert focal.reasons == ("best of focal", "lowest error")
    assert focal.metric == tuple(metric[1])
    assert focal.log_loss == tuple(log_loss[1])
    found = (focal.difference, focal.low, focal.high)
    assert found == paired_interval(metric[1] - metric[0], **ROWS)
    assert (default.difference, default.low, default.high) == paired_interval(
        metric[2] - metric[0], **ROWS
    )
    assert math.isnan(tuned.difference)
    assert [one.is_admissible for one in (focal, tuned, default)] == [True, True, False]
    assert focal.chance_best + tuned.chance_best == pytest.approx(1.0)
    assert math.isnan(default.chance_best)


def test_default_cross_entropy_takes_no_chance_from_others() -> None:
    log_loss = [rising(0.5, 0.01), rising(0.4, 0.02), rising(0.0, 0.03)]
    made = replicates([rising(0.2)] * 3, log_loss)
    focal, *_ = finalist_records(PICKED, made, ReplicateChoice(1, (1,), ""), baseline=0)
    assert focal.chance_best > 0.9


def test_a_training_that_diverged_leaves_no_interval_and_no_chance() -> None:
    metric = np.full((3, 5), 0.2)
    metric[1, 2] = math.nan
    made = replicates(metric, np.full((3, 5), 0.4))
    focal, tuned, _ = finalist_records(PICKED, made, ReplicateChoice(0, (0,), ""), baseline=0)
    assert math.isnan(focal.difference)
    assert math.isnan(focal.chance_best)
    assert tuned.chance_best == 1.0


def test_one_training_has_neither_interval_nor_chance() -> None:
    made = replicates([[0.3], [0.1], [0.2]], [[0.5], [0.4], [0.3]])
    focal, *_ = finalist_records(PICKED, made, ReplicateChoice(1, (1,), ""), baseline=0)
    assert focal.difference == pytest.approx(-0.2)
    assert math.isnan(focal.low)
    assert math.isnan(focal.high)
    assert math.isnan(focal.chance_best)
