"""Ranges that grow when a family's best value lies at their end, and the note on it.

A range that excludes a family's optimum would decide the comparison instead of the loss.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoloss.losses.parameters import ChoiceParam, Parameter
from autoloss.records import Edge
from autoloss.search.growth import Ends, Scale, Side, allowed_ends, between, grown, side_of
from autoloss.search.space import NUISANCE, Space


@dataclass(frozen=True)
class Tried:
    """The facts of a trial that decide the growth of ranges.

    Args:
        values: Its loss as dotted keys, with ``lr``, ``weight_decay`` and ``dropout``.
        has_ended: Whether it ended, in any state.
        refined: Its refined log loss in nats; None unless it is complete.
        widened: Ends of the ranges that were wider than the space's when it was drawn, by key.
    """

    values: Mapping[str, Any]
    has_ended: bool = True
    refined: float | None = None
    widened: Mapping[str, Ends] = field(default_factory=dict)


def widened_ranges(
    tried: Mapping[str, Sequence[Tried]], space: Space, *, quota: int
) -> dict[str, dict[str, Parameter]]:
    """Return the ranges of each family that are wider than the space's.

    After a family's quota has ended, a range grows by half its width (in log units on a
    logarithmic scale) at an end if the value of the best complete trial lies within 5 % of this
    end. It grows again if a later best value lies at the new end, up to four times its first width
    and never beyond the valid range. It does not shrink. Every trial stores its ranges, so the
    answer depends on the trials so far alone, also after an interruption.

    Args:
        tried: The trials so far, by family.
        space: The space, for the task at hand.
        quota: Trials that every family gets.

    Returns:
        By family and dotted key.
    """
    found: dict[str, dict[str, Parameter]] = {}
    for family, own in tried.items():
        best = best_of(own) if sum(one.has_ended for one in own) >= quota else None
        for key, first in scales(space, family):
            now = _hull(first, [one.widened[key] for one in own if key in one.widened])
            side = None if best is None else side_of(best.values[key], now)
            if side is not None:
                now = grown(now, side, key=key, first=first)
            if now != first:
                found.setdefault(family, {})[key] = now
    return found


def edges(tried: Mapping[str, Sequence[Tried]], space: Space) -> tuple[Edge, ...]:
    """Return the settings whose best value lies within 5 % of an end of the searched range.

    The ends of the valid range are excluded: nothing lies beyond them, and the loss is a special
    case there, such as cross-entropy at ``focal.gamma`` = 0.

    Args:
        tried: The trials, by family.
        space: The space, for the task at hand.
    """
    found = []
    for family, own in tried.items():
        best = best_of(own)
        if best is None:
            continue
        ended = [one for one in own if one.has_ended]
        for key, first in scales(space, family):
            value, now = best.values[key], explored(key, first, ended, best.values[key])
            side = side_of(value, now)
            low, high = allowed_ends(key, first)
            if side is None or (now.low <= low if side == "low" else now.high >= high):
                continue
            ends = float(now.low), float(now.high)
            found.append(Edge(family, key, float(value), side, *ends, now != first))
    return tuple(found)


def explored(
    key: str, first: Scale, tried: Sequence[Tried], value: float, *, at_least: int = 1
) -> Scale:
    """Return the searched range around a value; growth counts if trials lie further out.

    Args:
        key: The parameter's dotted key.
        first: The range of the space.
        tried: Trials of the family.
        value: The value.
        at_least: The number of trials that must lie in a grown part for it to count.
    """
    low, high = (outer_ends(key, first, tried, value, side) for side in ("low", "high"))
    lows, highs = np.sort(low)[at_least - 1 :], np.sort(high)[: len(high) - at_least + 1]
    return between(first, min([first.low, *lows[:1]]), max([first.high, *highs[-1:]]))


def outer_ends(
    key: str, first: Scale, tried: Sequence[Tried], value: float, side: Side
) -> NDArray[np.float64]:
    """Return the ends of the wider ranges that were searched further out than a value.

    One end for each trial that lies further out, and one for the value itself if the space's range
    does not hold it. Other trials of the same value were drawn for another setting.
    """
    out = 1.0 if side == "high" else -1.0
    values, ends = (tried if isinstance(tried, Tries) else Tries(tried)).drawn(key)
    reached = ends[:, int(side == "high")]
    found = reached[(values - value) * out > 0]
    if (value - (first.high if side == "high" else first.low)) * out > 0:
        same = reached[values == value] * out
        found = np.append(found, same.min(keepdims=True) * out) if len(same) else found
    return found


def best_of(tried: Sequence[Tried]) -> Tried | None:
    """Return the trial with the lowest refined log loss; the first of equal trials."""
    if isinstance(tried, Tries):
        return tried.best()
    return _best(tried)


class Tries(list[Tried]):
    """Trials of a family, to which more are added while a population is asked.

    Results over the first trials are computed once, so that each trial of a population does not
    read all trials before it.
    """

    def best(self) -> Tried | None:
        """Return the best trial, as `best_of` does."""
        first, known = self._first("best", _best)
        later = _best(self[first:])
        return _best([one for one in (known, later) if one is not None])

    def drawn(self, key: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the values of trials drawn from a wider range of a parameter, and its ends.

        Shape:
            (n,) and (n, 2).
        """
        first, known = self._first(key, lambda tried: _drawn(tried, key))
        later = _drawn(self[first:], key)
        return np.concatenate([known[0], later[0]]), np.concatenate([known[1], later[1]])

    def _first(self, name: str, found: Callable[[Sequence[Tried]], Any]) -> tuple[int, Any]:
        """Return the number of first trials, and the cached result over them."""
        if not hasattr(self, "_known"):
            self._known: dict[str, tuple[int, Any]] = {}
        if name not in self._known:
            self._known[name] = (len(self), found(self))
        return self._known[name]


def _best(tried: Sequence[Tried]) -> Tried | None:
    complete = [(one.refined, i) for i, one in enumerate(tried) if one.refined is not None]
    return tried[min(complete)[1]] if complete else None


def _drawn(tried: Sequence[Tried], key: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    found = [(one.values[key], one.widened[key]) for one in tried if key in one.widened]
    values = np.array([value for value, _ in found], dtype=np.float64)
    return values, np.array([ends for _, ends in found], dtype=np.float64).reshape(-1, 2)


def scales(space: Space, family: str) -> Iterator[tuple[str, Scale]]:
    """Yield the searched settings of a family on a scale: nuisance settings and parameters."""
    for key in (*NUISANCE, *space.keys_of(family)):
        parameter = space.ranges.get(key)
        if parameter is not None and not isinstance(parameter, ChoiceParam):
            yield key, parameter


def _hull(first: Scale, ends: Sequence[Ends]) -> Scale:
    low = min([first.low, *(end[0] for end in ends)])
    return between(first, low, max([first.high, *(end[1] for end in ends)]))
