"""Who leaves a search early: candidates are compared at the same age, before their rate decays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from autoloss.settings import TrainingConfig

FACTOR = 3
"""Of the candidates that come to a rung one in so many goes on; so much older is the next rung."""
FIRST_RUNG = 2
"""Epochs after which candidates are compared for the first time."""
LEAST_SEEN = 9
"""Values of a rung that are known before anyone may leave."""
LEAST_OF_FAMILY = 3
"""Values of a family at a rung that are known before one of its quota may leave."""
NEAR = 0.01
"""A value that is higher than another by this share of it at most is as good."""


def rungs(config: TrainingConfig) -> tuple[int, ...]:
    """Return the ages, in epochs, at which candidates are compared.

    Examples:
        >>> rungs(TrainingConfig(max_epochs=40, decay=0.5))
        (2, 6, 18)
        >>> rungs(TrainingConfig(max_epochs=20, decay=0.5))
        (2, 6)
    """
    # The rate of those that are compared is constant until then, and the same share of its peak.
    last = min((1.0 - config.decay) * config.max_epochs, config.max_epochs - 1)
    found, age = [], FIRST_RUNG
    while age <= last:
        found.append(age)
        age *= FACTOR
    return tuple(found)


@dataclass(frozen=True)
class Runner:
    """A trial that takes part.

    Args:
        slot: Its place in the study.
        family: Its base loss.
        origin: ``"default"``, ``"quota"`` or ``"sampler"``.
        plain: Whether it is plain cross-entropy.
    """

    slot: int
    family: str
    origin: str
    plain: bool = False


@dataclass(frozen=True)
class Passage:
    """A trial at a rung.

    Args:
        runner: The trial.
        values: What it is compared by, lower is better; one for each objective.
        time: Epochs that the search had trained then.
    """

    runner: Runner
    values: tuple[float, ...]
    time: int


class Race:
    """Asynchronous halving: a trial goes on while it is in the best third of those before it.

    A trial of a family's quota is compared with its own family alone, so that no family leaves
    before its quota. The literature's defaults stay to the end, and so does the best plain
    cross-entropy of a rung. With several values a trial leaves if it is out by each of them.
    """

    def __init__(self) -> None:
        self._passages: dict[int, dict[int, Passage]] = {}

    def add(self, rung: int, passage: Passage) -> None:
        """Take in what a trial did at a rung."""
        self._passages.setdefault(rung, {})[passage.runner.slot] = passage

    def leaves(self, rung: int, slot: int) -> bool:
        """Return whether a trial that came to a rung leaves there.

        It is compared with what was known when it came. All that came at one time are to be
        added before the first of them is asked for.
        """
        own = self._passages[rung][slot]
        runner = own.runner
        seen = [one for one in self._passages[rung].values() if one.time <= own.time]
        if runner.origin == "default" or len(seen) < LEAST_SEEN:
            return False
        if runner.plain:
            first = min(
                (one for one in seen if one.runner.plain),
                key=lambda one: (one.values[0], one.runner.slot),
            )
            if first is own:
                return False
        if runner.origin == "quota":
            seen = [one for one in seen if one.runner.family == runner.family]
            if len(seen) < LEAST_OF_FAMILY:
                return False
        return all(
            is_out(value, [one.values[i] for one in seen]) for i, value in enumerate(own.values)
        )


def is_out(value: float, seen: Sequence[float]) -> bool:
    """Return whether a value is above the best third of those seen, near-ties apart.

    Examples:
        >>> is_out(0.5, [0.1, 0.2, 0.3, 0.5]), is_out(0.2, [0.1, 0.2, 0.3, 0.5])
        (True, False)
    """
    best = sorted(seen)[: math.ceil(len(seen) / FACTOR)]
    return value > best[-1] * (1.0 + NEAR)
