"""When trials began and ended, on the clock of a search: the epochs that it has trained."""

from __future__ import annotations

from dataclasses import dataclass

from optuna.trial import FrozenTrial

from autoloss.records import CurvePoint
from autoloss.search.trial_facts import Asked, facts_of, is_lost


@dataclass(frozen=True)
class Span:
    """A trial on the clock of its search.

    Args:
        number: Its number.
        slot: Its place in the study.
        start: Epochs that the search had trained when it was asked.
        end: The same when it ended; None of one that runs, or was lost with its process.
        is_lost: Whether it will be asked again.
        rungs: What it was compared by, at each rung that it came to.
    """

    number: int
    slot: int
    start: int
    end: int | None
    is_lost: bool = False
    rungs: tuple[CurvePoint, ...] = ()


def span_of(trial: FrozenTrial) -> Span:
    """Return when a trial began and ended."""
    asked = Asked.of(trial)
    facts = facts_of(trial)
    if facts is None:
        return Span(trial.number, asked.slot, asked.start, None, is_lost=is_lost(trial))
    end = asked.start + facts.report.epochs
    return Span(trial.number, asked.slot, asked.start, end, rungs=facts.report.rungs)
