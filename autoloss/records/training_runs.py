"""The report of a training run: how it ended, its learning curve, its time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from autoloss.records.trials import CurvePoint

TrainingState = Literal["complete", "diverged", "stopped", "pruned", "failed"]


@dataclass(frozen=True)
class TrainingReport:
    """The outcome of a training run, the same value from the training loop to the study.

    Args:
        state: ``"complete"``; ``"diverged"`` if logits became infinite or NaN; ``"stopped"`` if a
            time limit cut it off; ``"pruned"`` if it left the race; ``"failed"`` otherwise.
        curve: A point for each epoch with finite logits.
        seconds: Its share of the time that its population took, in seconds.
        epochs: Epochs trained; 0 if unknown.
        rungs: Its best epoch so far at each rung of a race that it reached.
    """

    state: TrainingState
    curve: tuple[CurvePoint, ...] = ()
    seconds: float = 0.0
    epochs: int = 0
    rungs: tuple[CurvePoint, ...] = ()

    @property
    def best_epoch(self) -> int:
        """Return the epoch with the lowest refined log loss, from 1; 0 if the curve is empty."""
        best = min(self.curve, key=lambda point: point.refined_log_loss, default=None)
        return 0 if best is None else best.epoch

    @property
    def has_model(self) -> bool:
        """Return whether it left weights to compare with other training runs."""
        return self.state in ("complete", "stopped")


def merged(reports: Sequence[TrainingReport]) -> TrainingReport:
    """Return the report of a trial that was trained on several divisions.

    The trial diverged if it did on any division, else it was stopped if any run was. Its
    curve is the mean of the curves, up to the epoch at which it diverged; its seconds are the sum,
    its epochs the longest run's.

    Args:
        reports: The report of each division.
    """
    states = {report.state for report in reports}
    epochs = max(report.epochs for report in reports)
    curve = mean_curve([report.curve for report in reports])
    if "diverged" in states:
        curve = tuple(point for point in curve if point.epoch < epochs)
    worst: Sequence[TrainingState] = ("diverged", "stopped")
    return TrainingReport(
        next((state for state in worst if state in states), "complete"),
        curve,
        seconds=sum(report.seconds for report in reports),
        epochs=epochs,
    )


def mean_curve(curves: Sequence[Sequence[CurvePoint]]) -> tuple[CurvePoint, ...]:
    """Return the mean of learning curves; a curve at its end counts with its last point."""
    curves = [curve for curve in curves if curve]
    if len(curves) == 1:
        return tuple(curves[0])
    longest = max(map(len, curves), default=0)
    points = [[curve[min(i, len(curve) - 1)] for curve in curves] for i in range(longest)]
    return tuple(
        CurvePoint(
            epoch=max(point.epoch for point in at),
            refined_log_loss=sum(point.refined_log_loss for point in at) / len(at),
            error=sum(point.error for point in at) / len(at),
        )
        for at in points
    )
