"""Asynchronous successive halving: candidates are compared at the same age, before decay."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from autoloss.core.settings import TrainingConfig
from autoloss.records import CurvePoint

FACTOR = 3
"""One in this many candidates continues after a rung."""
GROWTH = 3
"""Ratio of the ages at successive rungs."""
FIRST_RUNG = 1
"""Age at the first rung, in epochs."""
LEAST_SEEN = 3
"""Least number of values at a rung before a candidate may leave."""


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
    """Return the best point of a learning curve up to an age.

    A candidate keeps the weights of its best epoch, so this point predicts its final value better
    than the last epoch, which fluctuates while the learning rate is high.

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
    """Asynchronous successive halving: a trial continues if it is in the best third so far.

    With several objectives a trial leaves only if it is outside the best third in each.
    """

    def __init__(self) -> None:
        self._passages: dict[int, dict[int, Passage]] = {}
        self._limits: dict[tuple[int, int], tuple[float, ...] | None] = {}

    def add(self, rung: int, passage: Passage) -> None:
        """Record the values of a trial at a rung."""
        self._passages.setdefault(rung, {})[passage.slot] = passage
        self._limits.clear()

    def leaves(self, rung: int, slot: int) -> bool:
        """Return whether a trial leaves the search at a rung.

        It is compared with the values known at its arrival. Add all trials that arrive at the
        same time before you ask for any of them.
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
        """Return the limits at a time, above which a value is out; None if too few are known."""
        seen = [one.values for one in self._passages[rung].values() if one.time <= time]
        return tuple(map(limit_of, zip(*seen, strict=True))) if len(seen) >= LEAST_SEEN else None


def limit_of(seen: Sequence[float]) -> float:
    """Return the worst value in the best third of `seen`.

    Examples:
        >>> limit_of([0.3, 0.1, 0.2, 0.5])
        0.2
    """
    return sorted(seen)[math.ceil(len(seen) / FACTOR) - 1]
