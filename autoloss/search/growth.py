"""The growth of a parameter's range: its steps and its limits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

from autoloss.losses.components import parameters_of
from autoloss.losses.parameters import ChoiceParam, FloatParam, IntParam, Parameter

Side = Literal["low", "high"]
Ends = tuple[float, float]
Scale = FloatParam | IntParam

EDGE = 0.05
GROWTH = 0.5
LARGEST_GROWTH = 4.0
# Nothing trains well beyond these limits; a space that names a wider range keeps it.
LIMITS: dict[str, Ends] = {
    "lr": (1e-6, 1.0),
    "weight_decay": (1e-7, 10.0),
    "dropout": (0.0, math.nextafter(0.9, 0.0)),
}
# The gap between a range and an open end of the valid range, as a share of its first width.
_OPEN_GAP = 0.01


def side_of(value: float, parameter: Scale) -> Side | None:
    """Return the end of a range if a value is within 5 % of its width from it.

    Examples:
        >>> side_of(0.009, FloatParam(1e-4, 1e-2, default=1e-3, log=True))
        'high'
    """
    low, high = on_scale(parameter, parameter.low), on_scale(parameter, parameter.high)
    place = (on_scale(parameter, value) - low) / (high - low)
    # Rounded, for a value at exactly 5 %.
    if round(place, 9) <= EDGE:
        return "low"
    return "high" if round(place, 9) >= 1.0 - EDGE else None


def grown(now: Scale, side: Side, *, key: str, first: Scale) -> Scale:
    """Return a range that reaches further at an end; the other end does not change.

    Args:
        now: The range so far.
        side: The end.
        key: The parameter's dotted key.
        first: The range of the space.

    Examples:
        >>> declared = parameters_of("focal")["focal.gamma"]
        >>> declared.high, grown(declared, "high", key="focal.gamma", first=declared).high
        (5.0, 7.5)
    """
    low, high = on_scale(now, now.low), on_scale(now, now.high)
    most = LARGEST_GROWTH * (on_scale(first, first.high) - on_scale(first, first.low))
    step = min(GROWTH * (high - low), most - (high - low))
    # The rest of the largest growth may be a rounding error.
    if step <= 1e-9 * most:
        return now
    lowest, highest = allowed_ends(key, first)
    if key in LIMITS:
        lowest, highest = max(lowest, LIMITS[key][0]), min(highest, LIMITS[key][1])
    if side == "low":
        return between(now, min(now.low, max(off_scale(now, low - step), lowest)), now.high)
    return between(now, now.low, max(now.high, min(off_scale(now, high + step), highest)))


def allowed_ends(key: str, first: Scale) -> Ends:
    """Return the ends of a parameter's valid range, a little inside if they are open.

    Args:
        key: The parameter's dotted key.
        first: The range of the space.
    """
    if isinstance(first, IntParam):
        declared = parameters_of(key.partition(".")[0])[key]
        assert isinstance(declared, IntParam)
        return declared.low, declared.high
    allowed = first.allowed
    low, high = allowed.low, allowed.high
    gap = _OPEN_GAP * (on_scale(first, first.high) - on_scale(first, first.low))
    # On a logarithmic scale 0 is infinitely far away.
    if allowed.open_low and math.isfinite(low) and not (first.log and low <= 0):
        low = off_scale(first, on_scale(first, low) + gap)
    if allowed.open_high and math.isfinite(high):
        high = off_scale(first, on_scale(first, high) - gap)
    return low, high


def between(parameter: Scale, low: float, high: float) -> Scale:
    """Return a parameter with new ends of its range."""
    if (low, high) == (parameter.low, parameter.high):
        return parameter
    if isinstance(parameter, IntParam):
        return replace(parameter, low=round(low), high=round(high))
    # Without its own valid range, the declared range stays the valid range.
    return replace(parameter, low=float(low), high=float(high), valid=parameter.allowed)


def ends_of(ranges: Mapping[str, Parameter]) -> dict[str, Ends]:
    """Return the ends of ranges by key, in the form stored with a trial."""
    return {k: (p.low, p.high) for k, p in ranges.items() if not isinstance(p, ChoiceParam)}


def hull(parameters: Sequence[Parameter]) -> Parameter:
    """Return the smallest range that holds several ranges of a parameter.

    Examples:
        >>> hull([IntParam(1, 4, default=2), IntParam(2, 6, default=2)]).high
        6
    """
    first = parameters[0]
    scales = [one for one in parameters if not isinstance(one, ChoiceParam)]
    if isinstance(first, ChoiceParam):
        return first
    return between(first, min(one.low for one in scales), max(one.high for one in scales))


def value_at(parameter: Scale, place: float, side: Side) -> float:
    """Return the value at a position on the scale, rounded outwards for whole numbers.

    Args:
        parameter: The range.
        place: The position on its scale.
        side: The outward direction.
    """
    value = off_scale(parameter, place)
    if isinstance(parameter, IntParam):
        value = math.ceil(value) if side == "high" else math.floor(value)
    return min(max(value, parameter.low), parameter.high)


def on_scale(parameter: Scale, value: float) -> float:
    """Return the position of a value: its logarithm if the range is logarithmic."""
    return math.log(value) if parameter.log else float(value)


def off_scale(parameter: Scale, place: float) -> float:
    """Return the value at a position."""
    return math.exp(place) if parameter.log else place
