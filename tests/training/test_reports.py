from __future__ import annotations

from autoloss.records import CurvePoint, TrainingReport, merged


def report(state, values, seconds=1.0):
    curve = tuple(CurvePoint(i + 1, value, value / 2) for i, value in enumerate(values))
    return TrainingReport(state, curve, seconds, epochs=len(curve) + (state == "diverged"))


def test_the_report_of_one_division_is_that_of_the_trial() -> None:
    for state in ("complete", "stopped", "diverged"):
        one = report(state, [0.5, 0.4, 0.6])
        assert merged([one]) == one
        assert one.best_epoch == 2


def test_divisions_that_stop_early_count_with_their_last_point() -> None:
    both = merged([report("complete", [0.5, 0.3]), report("complete", [0.7, 0.5, 0.1], 2.0)])
    values = [(point.epoch, point.refined_log_loss, point.error) for point in both.curve]
    assert values == [(1, 0.6, 0.3), (2, 0.4, 0.2), (3, 0.2, 0.1)]
    assert (both.state, both.seconds, both.epochs) == ("complete", 3.0, 3)


def test_a_trial_diverges_if_it_does_on_a_division_and_is_stopped_if_any_training_is() -> None:
    whole, cut, wild = (report(s, [0.5, 0.4]) for s in ("complete", "stopped", "diverged"))
    assert merged([whole, cut]).state == "stopped"
    assert merged([whole, cut, wild]).state == "diverged"
    # The others have a point for the epoch in which one diverges.
    longer = report("stopped", [0.5, 0.4, 0.3])
    assert [point.epoch for point in merged([longer, wild]).curve] == [1, 2]


def test_only_training_runs_to_their_end_or_the_time_limit_leave_a_model() -> None:
    states = ("complete", "stopped", "diverged", "pruned", "failed")
    assert [state for state in states if TrainingReport(state).has_model] == list(states[:2])
