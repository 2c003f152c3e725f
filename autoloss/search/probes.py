"""Probes: trials in the grown part of a range.

A family whose optimum lies beyond its range looks worse than it is, and the sampler would hardly
propose it again: generalized cross-entropy can be last at the learning rate of cross-entropy and
first at its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from autoloss.losses.parameters import Parameter
from autoloss.search.edges import Tried, best_of, explored, outer_ends, scales
from autoloss.search.growth import Scale, on_scale, side_of, value_at
from autoloss.search.space import Space

# Trials in a grown part: one in the nearer half, one in the farther half.
PROBES = 2


@dataclass(frozen=True)
class Probe:
    """The settings of a family's best trial with one of them moved into a grown part.

    Args:
        family: The family.
        values: The settings, by dotted key.
    """

    family: str
    values: dict[str, float | str]


def next_probe(
    tried: Mapping[str, Sequence[Tried]],
    space: Space,
    widened: Mapping[str, Mapping[str, Parameter]],
    *,
    seed: int,
    slot: int,
) -> Probe | None:
    """Return the next probe of a grown part; None if all grown parts have been probed.

    Args:
        tried: The trials so far by family, including the current population.
        space: The space, for the task at hand.
        widened: Ranges that are wider than the space's, by family and key.
        seed: Seed of the study.
        slot: The place in the study.
    """
    best = {family: best_of(tried[family]) for family in widened}
    found = [(one.refined or 0.0, family, one) for family, one in best.items() if one is not None]
    # The family most likely to win comes first.
    for _, family, one in sorted(found, key=lambda entry: entry[:2]):
        for key, first in scales(space, family):
            now = widened[family].get(key)
            if not isinstance(now, Scale):
                continue
            value = _value(key, first, now, one, tried[family], [seed, slot])
            if value is not None:
                return Probe(family, {**one.values, key: value})
    return None


def _value(
    key: str,
    first: Scale,
    now: Scale,
    best: Tried,
    tried: Sequence[Tried],
    entropy: Sequence[int],
) -> float | None:
    """Return a value between the best value and the grown end; None if enough trials lie there."""
    at = best.values[key]
    side = side_of(at, explored(key, first, tried, at, at_least=PROBES))
    if side is None:
        return None
    end = now.high if side == "high" else now.low
    ends = outer_ends(key, first, tried, at, side)
    done = int((ends >= end if side == "high" else ends <= end).sum())
    if done >= PROBES or end in (at, first.high if side == "high" else first.low):
        return None
    share = (done + np.random.default_rng(entropy).random()) / PROBES
    start = on_scale(now, at)
    return value_at(now, start + share * (on_scale(now, end) - start), side)
