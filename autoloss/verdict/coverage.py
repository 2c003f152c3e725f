"""The share of the planned training that ran, and whether it suffices for a verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence

from autoloss.records import Coverage, TrialRecord
from autoloss.report.words import duration_text
from autoloss.verdict.baseline import last_epoch, sides

LEAST_SHARE = 0.5
"""The least share of the planned trials, and of the planned epochs, for a decision."""
ENOUGH_TRIALS = 16
"""Trials that suffice for any plan: two families with twice their least quota."""
_ENDED = ("complete", "pruned", "diverged")


def coverage_of(
    trials: Sequence[TrialRecord],
    *,
    planned_trials: int,
    planned_epochs: int,
    max_epochs: int | None = None,
    is_final_cut: bool = False,
    seconds_for_all: float | None = None,
) -> Coverage:
    """Return how much of a plan ran.

    Args:
        trials: The trials of a study.
        planned_trials: The requested trials.
        planned_epochs: Epochs of the schedule that the search space asks for.
        max_epochs: Epochs of the schedule in use, which the time limit may have shortened.
        is_final_cut: Whether the time limit cut off final training runs.
        seconds_for_all: Time limit that the whole plan needs, in seconds.
    """
    schedule = planned_epochs if max_epochs is None else min(max_epochs, planned_epochs)
    reached = [_reached(side, schedule) for side in sides(trials)]
    return Coverage(
        trials=sum(trial.state in _ENDED for trial in trials),
        planned_trials=planned_trials,
        epochs=min(epochs for epochs, _ in reached),
        planned_epochs=planned_epochs,
        cut=sum(trial.state == "stopped" for trial in trials),
        is_final_cut=is_final_cut,
        is_schedule_done=all(done for _, done in reached),
        seconds_for_all=seconds_for_all,
    )


def shortfall(coverage: Coverage) -> str:
    """Return the reason why the training does not suffice for a verdict; empty if it does.

    A verdict needs tuned cross-entropy and another loss, both trained to the end of their
    schedule; at least half of the planned epochs; at least half of the planned trials, or 16
    trials, ended other than by the time limit (a race that gives up a trial follows its plan);
    and final training runs that were not cut off.

    Examples:
        >>> shortfall(Coverage(7, 16, 2, 20, is_schedule_done=False, seconds_for_all=170.0))
        'not enough training: 2 of 20 epochs, 7 of 16 trials; give it about 3 min'
        >>> shortfall(Coverage(16, 16, 20, 20))
        ''
    """
    parts = []
    if not coverage.is_schedule_done or coverage.epochs < LEAST_SHARE * coverage.planned_epochs:
        parts.append(f"{coverage.epochs} of {coverage.planned_epochs} epochs")
    if parts or coverage.trials < min(LEAST_SHARE * coverage.planned_trials, ENOUGH_TRIALS):
        parts.append(f"{coverage.trials} of {coverage.planned_trials} trials")
    if coverage.is_final_cut:
        parts.append("the final training runs were cut off")
    if not parts:
        return ""
    needed = coverage.seconds_for_all
    remedy = "" if needed is None else f"; give it about {duration_text(_rounded_up(needed))}"
    return f"not enough training: {', '.join(parts)}{remedy}"


def _rounded_up(seconds: float) -> float:
    """Return a time in whole seconds, above 90 s in whole minutes."""
    unit = 1.0 if seconds <= 90.0 else 60.0
    return unit * max(1, math.ceil(seconds / unit))


def _reached(side: Sequence[TrialRecord], schedule: int) -> tuple[int, bool]:
    """Return the most epochs of a side of the verdict, and whether its schedule was completed."""
    if any(trial.state == "complete" for trial in side):
        return schedule, True
    return max(map(last_epoch, side), default=0), False
