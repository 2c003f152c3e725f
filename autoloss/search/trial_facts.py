"""The facts of a trial beside Optuna's: stored as JSON, read back as a `TrialRecord`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from autoloss.losses import LossSpec
from autoloss.records import CurvePoint, TrainingReport, TrialRecord

LONGEST_CURVE = 20
FACTS = "facts"


@dataclass(frozen=True)
class Asked:
    """The facts of a trial when it is asked.

    Args:
        slot: Its place in the study.
        batch_end: The slot after the last trial that was asked with it.
        loss: The loss as dotted keys.
        nuisance: Settings besides the loss.
        origin: ``"default"``, ``"quota"`` or ``"sampler"``.
        lease: The lease of its worker, as `Lease.to_dict`.
        retry_of: Number of the lost trial that this trial repeats.
        widened: Ends of the ranges that were wider than the space's, by key.
    """

    slot: int
    batch_end: int
    loss: dict[str, Any]
    nuisance: dict[str, float]
    origin: str
    lease: dict[str, Any]
    retry_of: int | None = None
    widened: dict[str, tuple[float, float]] = field(default_factory=dict)

    @classmethod
    def of(cls, trial: FrozenTrial) -> Asked:
        """Return the stored facts of a trial."""
        attributes = trial.user_attrs
        names = cls.__dataclass_fields__
        return cls(**{key: attributes[key] for key in names if key in attributes})

    @property
    def spec(self) -> LossSpec:
        """Return the loss."""
        return LossSpec.from_dict(self.loss)


@dataclass(frozen=True)
class TrialFacts:
    """The facts of a trial when it ends.

    Args:
        report: How its training went.
        ended: The end, seconds since the epoch.
        metrics: Validation metrics by name.
        readout: Name of the read-out.
        readout_state: The read-out, as `Readout.to_dict`.
    """

    report: TrainingReport
    ended: float
    metrics: dict[str, float] = field(default_factory=dict)
    readout: str = "softmax"
    readout_state: dict[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the facts as flat JSON values: finite metrics and a short curve."""
        report = self.report
        return {
            "state": report.state,
            "ended": self.ended,
            "metrics": {key: value for key, value in self.metrics.items() if math.isfinite(value)},
            "readout": self.readout,
            "readout_state": self.readout_state,
            "curve": _written(thinned(report.curve)),
            "seconds": report.seconds,
            "epochs": report.epochs,
            "rungs": _written(report.rungs),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrialFacts:
        """Return the facts that `to_dict` wrote."""
        report = TrainingReport(
            values["state"],
            _read(values["curve"]),
            seconds=values["seconds"],
            epochs=values.get("epochs", 0),
            rungs=_read(values.get("rungs", ())),
        )
        return cls(
            report,
            values["ended"],
            metrics=values["metrics"],
            readout=values["readout"],
            readout_state=values["readout_state"],
        )


def _written(points: Sequence[CurvePoint]) -> list[list[float]]:
    return [[point.epoch, point.refined_log_loss, point.error] for point in points]


def _read(points: Sequence[Sequence[Any]]) -> tuple[CurvePoint, ...]:
    return tuple(CurvePoint(*point) for point in points)


def facts_of(trial: FrozenTrial) -> TrialFacts | None:
    """Return the facts at the end of a trial; None if it runs, or was lost while it was told."""
    written = trial.user_attrs.get(FACTS)
    if written is None or not trial.state.is_finished():
        return None
    was_told = trial.state != TrialState.FAIL or written["state"] == "failed"
    return TrialFacts.from_dict(written) if was_told else None


def is_lost(trial: FrozenTrial) -> bool:
    """Return whether a trial ended with its process, without a result."""
    return trial.state == TrialState.FAIL and facts_of(trial) is None


def record_of(trial: FrozenTrial) -> TrialRecord:
    """Return a trial as everything outside the search sees it."""
    asked = Asked.of(trial)
    facts = facts_of(trial) or TrialFacts(TrainingReport("failed"), ended=0.0)
    started = trial.datetime_start
    return TrialRecord(
        number=trial.number,
        state="running" if trial.state == TrialState.RUNNING else facts.report.state,
        loss=dict(asked.loss),
        nuisance=dict(asked.nuisance),
        metrics=dict(facts.metrics),
        readout=facts.readout,
        curve=facts.report.curve,
        seconds=facts.report.seconds,
        started=started.timestamp() if started else 0.0,
        ended=facts.ended,
        origin=asked.origin,
    )


def thinned(curve: Sequence[CurvePoint], *, points: int = LONGEST_CURVE) -> tuple[CurvePoint, ...]:
    """Return at most `points` points of a curve, evenly spread, with the first and the last.

    Examples:
        >>> curve = [CurvePoint(epoch, 1.0, 0.5) for epoch in range(1, 8)]
        >>> [point.epoch for point in thinned(curve, points=3)]
        [1, 4, 7]
    """
    if len(curve) <= points:
        return tuple(curve)
    last = len(curve) - 1
    return tuple(curve[round(i * last / (points - 1))] for i in range(points))
