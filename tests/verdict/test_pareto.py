from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from autoloss.records import TrialRecord
from autoloss.verdict.pareto import front_numbers, non_dominated

few_values = st.sampled_from([0.0, 0.1, 0.2, 0.3, float("nan"), float("inf")])
points = st.lists(st.tuples(few_values, few_values), max_size=12)


def dominates(one, other):
    return one[0] <= other[0] and one[1] <= other[1] and one != other


@given(points)
def test_no_other_point_dominates_a_point_of_the_front(some):
    values = np.array(some, dtype=float).reshape(-1, 2)
    finite = [tuple(row) for row in values if np.isfinite(row).all()]
    expected = [
        bool(np.isfinite(row).all()) and not any(dominates(other, tuple(row)) for other in finite)
        for row in values
    ]
    assert non_dominated(values[:, 0], values[:, 1]).tolist() == expected


def trial(number, error, log_loss, state="complete"):
    return TrialRecord(
        number=number,
        state=state,
        loss={"base": "focal"},
        nuisance={},
        metrics={"error": error, "refined_log_loss": log_loss, "accuracy": 1.0 - error},
    )


def test_front_numbers_leave_out_trials_that_did_not_end():
    trials = [
        trial(3, 0.1, 0.5),
        trial(1, 0.2, 0.4),
        trial(2, 0.2, 0.6),
        trial(0, 0.0, 0.0, state="diverged"),
        TrialRecord(number=4, state="complete", loss={"base": "brier"}, nuisance={}),
    ]
    assert front_numbers(trials) == (3, 1)


def test_front_numbers_follow_the_direction_of_the_metric():
    trials = [trial(0, 0.1, 0.5), trial(1, 0.2, 0.4), trial(2, 0.2, 0.6)]
    upwards = front_numbers(trials, metric="accuracy", lower_is_better=False)
    assert upwards == front_numbers(trials) == (0, 1)


def test_an_empty_study_has_an_empty_front():
    assert front_numbers([]) == ()


figures = st.floats(0.0, 2.0)


@given(st.lists(st.tuples(figures, figures), max_size=12), figures, figures)
def test_a_trial_that_is_beaten_in_both_figures_is_not_on_the_front(others, error, log_loss):
    beaten = trial(0, error + 0.01, log_loss + 0.01)
    better = trial(1, error, log_loss)
    rest = [trial(number, *one) for number, one in enumerate(others, start=2)]
    assert 0 not in front_numbers([*rest, beaten, better])


def test_only_a_trial_that_ended_removes_another_from_the_front():
    beaten = trial(0, 0.2, 0.6)
    assert front_numbers([beaten, trial(1, 0.1, 0.5, state="diverged")]) == (0,)
    assert front_numbers([beaten, trial(1, 0.1, 0.5)]) == (1,)
