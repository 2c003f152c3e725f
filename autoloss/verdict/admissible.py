"""The rule of the selection: within one paired standard error, log loss, simplicity."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from autoloss.records import TrialRecord
from autoloss.verdict.baseline import is_plain_cross_entropy

Simplicity = Callable[[TrialRecord], tuple[Any, ...]]


@dataclass(frozen=True)
class Figures:
    """A trial with the figures by which it is judged.

    Args:
        trial: The trial.
        metric: Its metric, turned so that lower is better.
        log_loss: Its log loss in nats.
    """

    trial: TrialRecord
    metric: float
    log_loss: float


class PairedErrors(Protocol):
    """Standard errors of the difference between two trials on the same rows or training runs."""

    def of_metric(self, trial: TrialRecord, best: TrialRecord) -> float:
        """Return the standard error of the difference in the metric, in its unit."""

    def of_log_loss(self, trial: TrialRecord, best: TrialRecord) -> float:
        """Return the standard error of the difference in log loss, in nats."""


@dataclass(frozen=True)
class Winner:
    """The winner by the rule, and the numbers of the admissible trials."""

    trial: TrialRecord
    admissible: tuple[int, ...]


def best_other(
    pool: Sequence[Figures], errors: PairedErrors, simplicity: Simplicity, *, baseline: int
) -> Winner | None:
    """Return the winner among the losses other than cross-entropy.

    Args:
        pool: The trials.
        errors: Their paired standard errors.
        simplicity: Sort key of a trial, lower for a simpler loss.
        baseline: Number of the trial of tuned cross-entropy, which is never compared with itself;
            without plain cross-entropy in the study, another trial of the family.

    Returns:
        The winner among all trials; if that is cross-entropy, the winner among the others; None
        if there are no others.
    """
    others = other_losses([one.trial for one in pool], baseline=baseline)
    left = [one for one in pool if one.trial.number in others]
    if not left:
        return None
    among_all = winner(pool, errors, simplicity)
    return among_all if among_all.trial.number in others else winner(left, errors, simplicity)


def other_losses(trials: Sequence[TrialRecord], *, baseline: int) -> set[int]:
    """Return the numbers of the trials that can challenge tuned cross-entropy."""
    return {
        trial.number
        for trial in trials
        if trial.number != baseline and not is_plain_cross_entropy(trial.loss)
    }


def winner(pool: Sequence[Figures], errors: PairedErrors, simplicity: Simplicity) -> Winner:
    """Return the winner by the rule among one or more trials.

    A trial is admissible within one paired standard error of the best metric. The rule finds the
    lowest log loss among admissible trials, and takes the simplest trial within one paired
    standard error of it. An admissible trial that is at least as simple and at least as good on
    both figures then replaces the winner: it may have missed the tie only because its rows pair
    more tightly with those of the lowest log loss. So only a more complex loss, within the noise,
    may dominate the winner. The order of the trials does not matter.

    Args:
        pool: The trials.
        errors: Their paired standard errors.
        simplicity: Sort key of a trial, lower for a simpler loss.
    """

    def by_simplicity(one: Figures) -> tuple[Any, ...]:
        return (*simplicity(one.trial), *_by_log_loss(one))

    best = min(pool, key=lambda one: (one.metric, one.log_loss, one.trial.number))
    admissible = [
        one
        for one in pool
        if _is_within(one.metric - best.metric, errors.of_metric(one.trial, best.trial))
    ]
    lowest = min(admissible, key=_by_log_loss)
    ties = [
        one
        for one in admissible
        if _is_within(one.log_loss - lowest.log_loss, errors.of_log_loss(one.trial, lowest.trial))
    ]
    tied = min(ties, key=by_simplicity)
    at_least = [
        one
        for one in admissible
        if one.metric <= tied.metric
        and one.log_loss <= tied.log_loss
        and simplicity(one.trial) <= simplicity(tied.trial)
    ]
    numbers = sorted(one.trial.number for one in admissible)
    return Winner(min(at_least, key=by_simplicity).trial, tuple(numbers))


def _by_log_loss(one: Figures) -> tuple[float, float, int]:
    return (one.log_loss, one.metric, one.trial.number)


def _is_within(difference: float, error: float) -> bool:
    # The sum is rounded, and an error of NaN admits only equal values.
    return difference <= 1e-12 or difference <= error + 1e-12
