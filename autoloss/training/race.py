"""Successive halving: trials are compared at the same age, before the learning rate decays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

FACTOR = 3
"""One in this many trials continues after a rung, and the ratio of the ages at two rungs."""
FIRST_RUNG = 0.1
"""The age at the first rung as a share of the schedule; after fewer epochs the rank of a trial
says little about its final rank."""
LEAST_SEEN = 3
"""The number of values at a rung from which on a trial may leave."""


def rungs(max_epochs: int, decay: float) -> tuple[int, ...]:
    """Return the ages, in epochs, at which trials are compared.

    Args:
        max_epochs: Epochs of the schedule.
        decay: Share of the schedule, at its end, in which the learning rate falls to zero.

    Examples:
        >>> rungs(40, 0.5), rungs(10, 0.5), rungs(1, 0.5)
        ((4, 12), (1, 3), ())
    """
    # The learning rate of the compared trials is constant until then.
    last = min((1.0 - decay) * max_epochs, max_epochs - 1)
    found, age = [], math.ceil(FIRST_RUNG * max_epochs)
    while age <= last:
        found.append(age)
        age *= FACTOR
    return tuple(found)


@dataclass(frozen=True)
class Passage:
    """A trial at a rung.

    Args:
        slot: Its place in the study.
        values: The values by which it is compared, lower is better, for each objective.
        wave: A number of its wave, larger for later waves.
        family: Its family.
        roles: Uses of the trial for the verdict besides.
    """

    slot: int
    values: tuple[float, ...]
    wave: int
    family: str = ""
    roles: frozenset[str] = frozenset()


class Race:
    """Successive halving: a trial continues if it is in the best third so far.

    With several objectives a trial leaves only if it is outside the best third in each.
    """

    def __init__(self) -> None:
        self._passages: dict[int, dict[int, Passage]] = {}

    def add(self, rung: int, passage: Passage) -> None:
        """Record the values of a trial at a rung."""
        self._passages.setdefault(rung, {})[passage.slot] = passage

    def staying(self, rung: int, wave: int) -> list[int]:
        """Return the slots of a wave that continue after a rung, the best first.

        They are compared with all trials that reached the rung in their wave or an earlier wave.
        Add all trials of the wave before you ask.
        """
        seen = [one for one in self._passages.get(rung, {}).values() if one.wave <= wave]
        own = sorted((one for one in seen if one.wave == wave), key=_rank)
        if len(seen) < LEAST_SEEN:
            return [one.slot for one in own]
        limits = [limit_of(values) for values in zip(*(one.values for one in seen), strict=True)]
        return [
            one.slot
            for one in own
            if any(value <= limit for value, limit in zip(one.values, limits, strict=True))
        ]

    def leading(self, rung: int, wave: int, *, families: int) -> list[int]:
        """Return the slots of a wave that lead at a rung so far, the best first.

        They are the best trial of each role, and the best trial of each of the best families.

        Args:
            rung: The rung.
            wave: The wave.
            families: The number of families.
        """
        seen = [one for one in self._passages.get(rung, {}).values() if one.wave <= wave]
        by_role: dict[str, Passage] = {}
        by_family: dict[str, Passage] = {}
        for one in sorted(seen, key=_rank):
            by_family.setdefault(one.family, one)
            for role in one.roles:
                by_role.setdefault(role, one)
        leaders = {*by_role.values(), *list(by_family.values())[:families]}
        return [one.slot for one in sorted(leaders, key=_rank) if one.wave == wave]


def _rank(one: Passage) -> tuple[tuple[float, ...], int]:
    return one.values, one.slot


def limit_of(seen: Sequence[float]) -> float:
    """Return the worst value in the best third of `seen`.

    Examples:
        >>> limit_of([0.3, 0.1, 0.2, 0.5])
        0.2
    """
    return sorted(seen)[math.ceil(len(seen) / FACTOR) - 1]
