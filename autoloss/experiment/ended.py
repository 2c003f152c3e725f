"""A running summary of the trials that ended: their number and the best of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from autoloss.records import REFINED_LOG_LOSS, TrialRecord


@dataclass
class EndedTrials:
    """The figures that are shown of the trials that ended, in constant memory.

    Args:
        count: Their number.
        best: The trial with the lowest refined log loss, the first of equal ones.
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
