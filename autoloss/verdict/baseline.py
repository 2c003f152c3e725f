"""The baselines: plain cross-entropy, tuned and with the literature's settings."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from autoloss.core.errors import AutolossError
from autoloss.records import REFINED_LOG_LOSS

if TYPE_CHECKING:
    from autoloss.records import TrialRecord


def is_plain_cross_entropy(loss: Mapping[str, Any]) -> bool:
    """Return whether dotted keys name cross-entropy with no prior, target, penalty or temperature.

    Examples:
        >>> is_plain_cross_entropy({"base": "cross_entropy"})
        True
        >>> is_plain_cross_entropy({"base": "cross_entropy", "target": "smoothing"})
        False
    """
    parts = (loss.get(key, "none") for key in ("prior", "target", "penalty"))
    return (
        loss["base"] == "cross_entropy"
        and all(part == "none" for part in parts)
        and loss.get("temperature", 1.0) == 1.0
    )


def comparable(trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Return the trials to compare: the complete trials, with stand-ins for a side without any.

    A trial that was cut off before the end of its schedule cannot be compared with a complete
    trial. If a side of the verdict has no complete trial, its longest-trained trials stand in, so
    that a model can ship; the verdict is then undecided (`coverage.shortfall`).
    """
    numbers = {t.number for t in trials if t.state == "complete"}
    for side in sides(trials):
        cut = [t for t in side if t.state == "stopped"]
        if cut and not any(t.state == "complete" for t in side):
            furthest = max(map(last_epoch, cut))
            numbers |= {t.number for t in cut if last_epoch(t) == furthest}
    return [trial for trial in trials if trial.number in numbers]


def sides(trials: Sequence[TrialRecord]) -> tuple[list[TrialRecord], list[TrialRecord]]:
    """Return the trials that can be tuned cross-entropy, and the trials that can challenge it.

    Trials without metrics are left out. If no plain cross-entropy has metrics, the other trials of
    its family take its side.
    """
    known = [trial for trial in trials if trial.metrics]
    plain = [trial for trial in known if is_plain_cross_entropy(trial.loss)]
    plain = plain or [trial for trial in known if trial.family == "cross_entropy"]
    numbers = {trial.number for trial in plain}
    return plain, [trial for trial in known if trial.number not in numbers]


def last_epoch(trial: TrialRecord) -> int:
    """Return the last epoch on a trial's learning curve; 0 without one."""
    return trial.curve[-1].epoch if trial.curve else 0


def usable(trials: Sequence[TrialRecord], metric: str) -> list[TrialRecord]:
    """Return the trials to compare with a finite metric and log loss, in order of number."""
    done = [trial for trial in comparable(trials) if _is_finite(trial, metric)]
    return sorted(done, key=lambda trial: trial.number)


def some_usable(trials: Sequence[TrialRecord], metric: str) -> list[TrialRecord]:
    """Return the usable trials, at least one.

    Raises:
        AutolossError: If no trial is usable.
    """
    if done := usable(trials, metric):
        return done
    raise AutolossError("A study must have a trial that ended with a model, but got complete=0.")


def by_log_loss(metric: str, *, lower_is_better: bool = True) -> Any:
    """Return the sort key of usable trials: log loss, then the metric, then the number."""
    sign = 1.0 if lower_is_better else -1.0
    return lambda trial: (
        trial.metrics[REFINED_LOG_LOSS],
        sign * trial.metrics[metric],
        trial.number,
    )


def tuned_cross_entropy(
    trials: Sequence[TrialRecord], *, metric: str = "error", lower_is_better: bool = True
) -> TrialRecord:
    """Return the plain cross-entropy with the lowest refined log loss, else one of its family.

    Args:
        trials: The trials of a study; unusable trials are ignored.
        metric: A key of `TrialRecord.metrics`, which breaks ties.
        lower_is_better: Its direction.

    Raises:
        AutolossError: If no trial of cross-entropy ended with finite figures.
    """
    family = [trial for trial in usable(trials, metric) if trial.family == "cross_entropy"]
    if not family:
        raise AutolossError(
            "A verdict must have a cross_entropy trial to compare with, but got cross_entropy=0 "
            "complete trials; search on, or give cross_entropy a learning rate that it survives."
        )
    plain = [trial for trial in family if is_plain_cross_entropy(trial.loss)]
    return min(plain or family, key=by_log_loss(metric, lower_is_better=lower_is_better))


def default_cross_entropy(trials: Sequence[TrialRecord], *, metric: str) -> TrialRecord | None:
    """Return plain cross-entropy with the literature's settings, or None if it did not end."""
    defaults = [t for t in usable(trials, metric) if t.origin == "default"]
    return next((t for t in defaults if is_plain_cross_entropy(t.loss)), None)


def _is_finite(trial: TrialRecord, metric: str) -> bool:
    return all(
        math.isfinite(trial.metrics.get(name, math.nan)) for name in (metric, REFINED_LOG_LOSS)
    )
