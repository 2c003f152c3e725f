from __future__ import annotations

import dataclasses

import pytest

from autoloss.records import Coverage, CurvePoint, TrialRecord
from autoloss.verdict.baseline import comparable, tuned_cross_entropy, usable
from autoloss.verdict.coverage import coverage_of, shortfall

PLAN = {"planned_trials": 16, "planned_epochs": 20}


def trial(number, base, state="complete", *, epochs=20, log_loss=0.5, **loss):
    metrics = {} if state in ("pruned", "diverged") else {"refined_log_loss": log_loss, "error": 0}
    curve = (CurvePoint(epochs, log_loss, 0.0),)
    return TrialRecord(number, state, {"base": base, **loss}, {}, metrics, curve=curve)


def done(trials):
    return [one.number for one in usable(trials, "error")]


def test_a_cut_off_trial_is_not_compared_beside_a_complete_trial() -> None:
    # Cut off at epoch 35 of 40 with the lowest log loss of all.
    trials = [
        trial(0, "cross_entropy", log_loss=0.5),
        trial(1, "cross_entropy", "stopped", epochs=35, log_loss=0.3),
        trial(2, "focal", log_loss=0.6),
        trial(3, "brier", "stopped", epochs=35, log_loss=0.2),
    ]
    assert done(trials) == [0, 2]


def test_smoothed_cross_entropy_does_not_take_the_place_of_a_plain_one() -> None:
    trials = [
        trial(0, "cross_entropy", "stopped", epochs=35, log_loss=0.50),
        trial(1, "cross_entropy", "stopped", epochs=30, log_loss=0.45),
        trial(2, "cross_entropy", log_loss=0.40, target="smoothing"),
        trial(3, "focal", log_loss=0.41),
    ]
    assert [(t.number, t.state) for t in comparable(trials)] == [
        (0, "stopped"),
        (2, "complete"),
        (3, "complete"),
    ]
    # The plain trial with the most epochs stands in, whatever its log loss; nothing is decided.
    assert tuned_cross_entropy(trials).number == 0
    assert done(trials) == [0, 2, 3]
    assert "35 of 40 epochs" in shortfall(coverage_of(trials, planned_trials=4, planned_epochs=40))


def test_trials_to_compare_are_compared_again_without_change() -> None:
    trials = [
        trial(0, "cross_entropy", "stopped", epochs=35),
        trial(1, "cross_entropy", target="smoothing"),
        trial(2, "focal"),
    ]
    among = comparable(trials)
    assert comparable(among) == among
    # Without the plain trial, smoothed cross-entropy takes its side.
    assert comparable(among[1:]) == among[1:]


def test_a_pruned_trial_never_stands_in() -> None:
    trials = [trial(0, "cross_entropy"), trial(1, "focal", "pruned", epochs=10)]
    assert done(trials) == [0]


def test_the_coverage_counts_the_training() -> None:
    trials = [
        trial(0, "cross_entropy"),
        trial(1, "focal"),
        trial(2, "brier", "pruned", epochs=4),
        trial(3, "mae", "diverged", epochs=2),
        trial(4, "poly1", "stopped", epochs=7),
        trial(5, "poly1", "failed", epochs=0),
    ]
    found = coverage_of(trials, **PLAN, is_final_cut=True)
    assert found == Coverage(4, 16, 20, 20, cut=1, is_final_cut=True, is_schedule_done=True)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, ""),
        ({"trials": 8}, ""),
        ({"trials": 7}, "7 of 16 trials"),
        ({"trials": 16, "planned_trials": 128}, ""),
        ({"trials": 15, "planned_trials": 128}, "15 of 128 trials"),
        ({"is_final_cut": True}, "the final training runs were cut off"),
        ({"epochs": 19, "is_schedule_done": False}, "19 of 20 epochs, 16 of 16 trials"),
        # A schedule that a short limit made shorter, trained to its end.
        ({"epochs": 10}, ""),
        ({"epochs": 9}, "9 of 20 epochs, 16 of 16 trials"),
    ],
)
def test_the_shortfall_names_the_missing_training(changes, reason) -> None:
    coverage = dataclasses.replace(Coverage(16, 16, 20, 20), **changes)
    assert shortfall(coverage) == (f"not enough training: {reason}" if reason else "")
    if reason:
        timed = dataclasses.replace(coverage, seconds_for_all=170.0)
        assert shortfall(timed).endswith(f"{reason}; give it about 3 min")


def test_a_side_without_any_model_was_trained_for_no_epoch() -> None:
    found = coverage_of([trial(0, "cross_entropy")], **PLAN)
    assert not found.is_schedule_done


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "1 s"),
        (60.5, "1 min 1 s"),
        (91.0, "2 min"),
        (600.0, "10 min"),
        (3601.0, "1 h 1 min"),
        (7300.0, "2 h 2 min"),
    ],
)
def test_times_are_rounded_up(seconds: float, text: str) -> None:
    coverage = Coverage(7, 16, 2, 20, is_schedule_done=False, seconds_for_all=seconds)
    assert shortfall(coverage).endswith(f"; give it about {text}")
