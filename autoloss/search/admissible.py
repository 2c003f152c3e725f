"""The one rule of the selection: within one paired standard error, log loss, simplicity."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from autoloss.records import TrialRecord
from autoloss.search.baseline import is_plain_cross_entropy

Simplicity = Callable[[TrialRecord], tuple[Any, ...]]


@dataclass(frozen=True)
class Figures:
    """A trial with what it is judged by.

    Args:
        trial: The trial.
        metric: Its metric, turned so that lower is better.
        log_loss: Its log loss in nats.
    """

    trial: TrialRecord
    metric: float
    log_loss: float


class PairedErrors(Protocol):
    """Standard errors of the difference between two trials on the same rows or trainings."""

    def of_metric(self, trial: TrialRecord, best: TrialRecord) -> float:
        """Return that of the metric, in its unit."""

    def of_log_loss(self, trial: TrialRecord, best: TrialRecord) -> float:
        """Return that of the log loss, in nats."""


@dataclass(frozen=True)
class Winner:
    """Who wins by the rule, and the numbers of the trials among which it was chosen."""

    trial: TrialRecord
    admissible: tuple[int, ...]


def best_other(
    pool: Sequence[Figures], errors: PairedErrors, simplicity: Simplicity
) -> Winner | None:
    """Return who wins among all; where that is plain cross-entropy, who wins among the others.

    Returns:
        The winner; None where there is nothing but plain cross-entropy.
    """
    others = [one for one in pool if not is_plain_cross_entropy(one.trial.loss)]
    if not others:
        return None
    among_all = winner(pool, errors, simplicity)
    if not is_plain_cross_entropy(among_all.trial.loss):
        return among_all
    return winner(others, errors, simplicity)


def winner(pool: Sequence[Figures], errors: PairedErrors, simplicity: Simplicity) -> Winner:
    """Return who wins by the rule among one or more trials.

    Admissible is who lies within one paired standard error of the best metric. Of those the
    lowest log loss; within one paired standard error of that, the simplest. A trial that is
    admissible, at least as simple and at least as good on both figures takes the winner's place:
    it may have been no tie only because its rows pair more tightly with those of the lowest log
    loss. So only a more complex loss, within the noise, may dominate the winner. The order of the
    trials plays no part.

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
    # The sum is rounded, and an error that is no number admits nothing but equality.
    return difference <= 1e-12 or difference <= error + 1e-12
