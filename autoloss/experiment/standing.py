"""The standing of a search: its trials that ended, the best of them, and the progress shown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from autoloss.core.errors import InputError, TrainingError
from autoloss.experiment.progress import Progress
from autoloss.experiment.timetable import Timetable
from autoloss.records import REFINED_LOG_LOSS, TrialRecord, Update
from autoloss.report.words import count_text
from autoloss.search import Study, Trial

MOST_SHOWN = 0.99
"""The largest share of the work that is reported as done while any work is left."""


@dataclass
class TrialTally:
    """The figures of the trials that ended, in constant memory.

    Args:
        count: Their number.
        best: The trial with the lowest refined log loss, the first of equal trials.
        has_learnt: Whether any trial was scored.
        has_diverged: Whether any trial diverged.
        cut: The epochs at which trials were cut off.
    """

    count: int = 0
    best: TrialRecord | None = None
    has_learnt: bool = False
    has_diverged: bool = False
    cut: list[int] = field(default_factory=list)

    def add(self, records: Iterable[TrialRecord]) -> None:
        """Count trials that ended."""
        for record in records:
            self.count += 1
            self.has_learnt |= bool(record.metrics)
            self.has_diverged |= record.state == "diverged"
            if record.state == "stopped" and record.curve:
                self.cut.append(record.curve[-1].epoch)
            if REFINED_LOG_LOSS not in record.metrics:
                continue
            value = record.metrics[REFINED_LOG_LOSS]
            if self.best is None or value < self.best.metrics[REFINED_LOG_LOSS]:
                self.best = record

    def check(self, *, is_up: bool) -> None:
        """Check that some candidate has learnt.

        Args:
            is_up: Whether the time is up.

        Raises:
            InputError: The time was up before any candidate had learnt.
            TrainingError: All candidates diverged.
        """
        if self.has_learnt:
            return
        if is_up and not self.has_diverged:
            raise InputError(
                "A search must have time for one epoch of its first trials, but the time was up "
                "before: give it a longer time limit, fewer trials at once or fewer rows."
            )
        raise TrainingError(
            "A search must have one candidate that learns, but all of them diverged: set a "
            "lower lr in the space, and look for columns with extreme numbers."
        )


def still_ours(study: Study, trials: Sequence[Trial], progress: Progress) -> set[int]:
    """Return the numbers of trials that were not given to others while this process was away."""
    held = {trial.number for trial in study.still_ours(trials)}
    if lost := len(trials) - len(held):
        progress.noted(
            f"{count_text(lost, 'trial')} of this process went to others, because it did not "
            "renew its lease in time: their results count."
        )
    return held


class Standing:
    """Shows how far a search is.

    Args:
        progress: Receives the progress.
        timetable: The plan of the time.
        budget: Trials of the study.
        metric: Name of the study's metric.

    Attributes:
        tally: The trials that ended.
        phase: ``"search"``, then ``"final"``.
    """

    def __init__(
        self, progress: Progress, timetable: Timetable, *, budget: int, metric: str
    ) -> None:
        self.tally = TrialTally()
        self.phase: Literal["search", "final"] = "search"
        self._progress = progress
        self._timetable = timetable
        self._budget = budget
        self._metric = metric
        self._fraction = 0.0
        # Trials that ended before this process began are no part of its rate.
        self._before: int | None = None

    def show(self, best_log_loss: float) -> None:
        """Show the progress.

        Args:
            best_log_loss: The lowest log loss among the trials in training, in nats.
        """
        tally = self.tally
        before = self._before = tally.count if self._before is None else self._before
        elapsed, left = self._timetable.clock.elapsed, self._timetable.left
        # The estimate of the remaining work may grow, but the bar must not move back.
        fraction = min(elapsed / max(elapsed + left, 1e-9), MOST_SHOWN)
        self._fraction = max(self._fraction, fraction)
        best = tally.best
        self._progress.updated(
            Update(
                phase=self.phase,
                done=tally.count,
                total=self._budget,
                fraction=self._fraction,
                elapsed=elapsed,
                left=left,
                rate=max(0, tally.count - before) / elapsed if elapsed > 0 else 0.0,
                best_label="" if best is None else best.label,
                best_metric=math.nan if best is None else best.metrics.get(self._metric, math.nan),
                best_log_loss=best_log_loss if best is None else best.metrics[REFINED_LOG_LOSS],
            )
        )
