"""Who leaves a search early: candidates are compared at the same age, before their rate decays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from autoloss.core.settings import TrainingConfig
from autoloss.records import CurvePoint

FACTOR = 3
"""Of the candidates that come to a rung one in so many goes on."""
GROWTH = 3
"""How many times as old they are at the next rung."""
FIRST_RUNG = 1
"""Epochs after which candidates are compared for the first time."""
LEAST_SEEN = 3
"""Values of a rung that are known before anyone may leave."""


def rungs(config: TrainingConfig) -> tuple[int, ...]:
    """Return the ages, in epochs, at which candidates are compared.

    Examples:
        >>> rungs(TrainingConfig(max_epochs=40, decay=0.5))
        (1, 3, 9)
        >>> rungs(TrainingConfig(max_epochs=10, decay=0.5))
        (1, 3)
    """
    # The rate of those that are compared is constant until then, and the same share of its peak.
    last = min((1.0 - config.decay) * config.max_epochs, config.max_epochs - 1)
    found, age = [], FIRST_RUNG
    while age <= last:
        found.append(age)
        age *= GROWTH
    return tuple(found)


def best_so_far(curve: Sequence[CurvePoint], age: int) -> CurvePoint:
    """Return what a candidate would be told with if it ended at an age.

    The weights of its best epoch are kept, so that this says more of its end than its last epoch
    does, which jumps up and down while the rate is high.

    Args:
        curve: Its learning curve, one point or more; at its end where it has stopped before.
        age: Epochs.
    """
    best = min(curve[:age], key=lambda point: point.refined_log_loss)
    return CurvePoint(age, best.refined_log_loss, best.error)


@dataclass(frozen=True)
class Passage:
    """A trial at a rung.

    Args:
        slot: Its place in the study.
        values: What it is compared by, lower is better; one for each objective.
        time: Epochs that the search had trained then.
    """

    slot: int
    values: tuple[float, ...]
    time: int


class Race:
    """Asynchronous halving: a trial goes on while it is in the best third of those before it.

    With several values a trial leaves if it is out by each of them.
    """

    def __init__(self) -> None:
        self._passages: dict[int, dict[int, Passage]] = {}
        self._limits: dict[tuple[int, int], tuple[float, ...] | None] = {}

    def add(self, rung: int, passage: Passage) -> None:
        """Take in what a trial did at a rung."""
        self._passages.setdefault(rung, {})[passage.slot] = passage
        self._limits.clear()

    def leaves(self, rung: int, slot: int) -> bool:
        """Return whether a trial that came to a rung leaves there.

        It is compared with what was known when it came. All that came at one time are to be
        added before the first of them is asked for.
        """
        own = self._passages[rung][slot]
        # Those that came at one time share their limits: in a large study, a sort of all.
        if (rung, own.time) not in self._limits:
            self._limits[rung, own.time] = self._limits_at(rung, own.time)
        limits = self._limits[rung, own.time]
        return limits is not None and all(
            value > limit for value, limit in zip(own.values, limits, strict=True)
        )

    def _limits_at(self, rung: int, time: int) -> tuple[float, ...] | None:
        """Return above what a value is out at a time; None where too few were seen by then."""
        seen = [one.values for one in self._passages[rung].values() if one.time <= time]
        return tuple(map(limit_of, zip(*seen, strict=True))) if len(seen) >= LEAST_SEEN else None


def limit_of(seen: Sequence[float]) -> float:
    """Return the worst value of the best third of those seen.

    Examples:
        >>> limit_of([0.3, 0.1, 0.2, 0.5])
        0.2
    """
    return sorted(seen)[math.ceil(len(seen) / FACTOR) - 1]
