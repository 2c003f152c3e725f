"""The parameters of a loss: the range of a search, the allowed values, and their mistakes."""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass

Number = float | int


def as_number(value: object) -> Number | None:
    """Return a number as an int or float; None for anything else (a boolean, text, NaN)."""
    # numpy's numbers are real numbers too.
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or math.isnan(value):
        return None
    return int(value) if isinstance(value, numbers.Integral) else float(value)


@dataclass(frozen=True)
class Interval:
    """The allowed values of a parameter; an infinite end is always open.

    Args:
        low: Lower end.
        high: Upper end.
        open_low: Whether the lower end is excluded.
        open_high: Whether the upper end is excluded.

    Examples:
        >>> print(Interval(0.0, 1.0, open_high=True))
        [0, 1)
        >>> 1.0 in Interval(0.0, 1.0, open_high=True)
        False
    """

    low: float
    high: float
    open_low: bool = False
    open_high: bool = False

    def __contains__(self, value: float) -> bool:
        above = value > self.low if self.open_low else value >= self.low
        below = value < self.high if self.open_high else value <= self.high
        return above and below and math.isfinite(value)

    def __str__(self) -> str:
        left = "(" if self.open_low or math.isinf(self.low) else "["
        right = ")" if self.open_high or math.isinf(self.high) else "]"
        return f"{left}{self.low:g}, {self.high:g}{right}"

    @property
    def closed_ends(self) -> tuple[float, ...]:
        """Return the ends that are allowed values."""
        ends = ((self.low, self.open_low), (self.high, self.open_high))
        return tuple(end for end, is_open in ends if not is_open and math.isfinite(end))


@dataclass(frozen=True)
class FloatParam:
    """A real parameter.

    Args:
        low: Lower end of the default range of a search.
        high: Upper end of that range.
        default: The value of the literature.
        log: Whether a search draws it on a logarithmic scale.
        valid: All allowed values; by default ``[low, high]``.
        searched: Whether a search varies it if the space does not name it.

    Examples:
        >>> FloatParam(0.05, 0.95, default=0.7, valid=Interval(0.0, 1.0)).mistake("q", 1.5)
        'q must be in [0, 1], but got q=1.5.'
    """

    low: float
    high: float
    default: float
    log: bool = False
    valid: Interval | None = None
    searched: bool = True

    @property
    def allowed(self) -> Interval:
        """Return the allowed values."""
        return self.valid or Interval(self.low, self.high)

    def mistake(self, name: str, value: object) -> str | None:
        """Return the mistake of a value in one line, or None."""
        number = as_number(value)
        if number is None:
            return f"{name} must be a number, but got {name}={value!r:.80}."
        if number not in self.allowed:
            return f"{name} must be in {self.allowed}, but got {name}={value}."
        return None

    def clean(self, value: Number) -> float:
        """Return an allowed value as a float."""
        return float(value)


@dataclass(frozen=True)
class IntParam:
    """A whole-number parameter, from `low` to `high`, both allowed.

    Args:
        low: The smallest value.
        high: The largest value.
        default: The value of the literature.
        log: Whether a search draws it on a logarithmic scale.
        searched: Whether a search varies it if the space does not name it.

    Examples:
        >>> IntParam(1, 10, default=2).mistake("t", 2.5)
        't must be a whole number in [1, 10], but got t=2.5.'
    """

    low: int
    high: int
    default: int
    log: bool = False
    searched: bool = True

    def mistake(self, name: str, value: object) -> str | None:
        """Return the mistake of a value in one line, or None."""
        number = as_number(value)
        if number is None or not self.low <= number <= self.high or number != int(number):
            rule = f"a whole number in [{self.low}, {self.high}]"
            return f"{name} must be {rule}, but got {name}={value!r:.80}."
        return None

    def clean(self, value: Number) -> int:
        """Return an allowed value as an int."""
        return int(value)


@dataclass(frozen=True)
class ChoiceParam:
    """A parameter with a few allowed numbers.

    Args:
        choices: The allowed values.
        default: The value of the literature.
        searched: Whether a search varies it if the space does not name it.

    Examples:
        >>> ChoiceParam((1, 2), default=1).mistake("p", 3)
        'p must be one of 1, 2, but got p=3.'
    """

    choices: tuple[Number, ...]
    default: Number
    searched: bool = True

    def mistake(self, name: str, value: object) -> str | None:
        """Return the mistake of a value in one line, or None."""
        if as_number(value) is None or value not in self.choices:
            known = ", ".join(str(choice) for choice in self.choices)
            return f"{name} must be one of {known}, but got {name}={value!r:.80}."
        return None

    def clean(self, value: Number) -> Number:
        """Return an allowed value in the type of its declaration."""
        return next(choice for choice in self.choices if choice == value)


Parameter = FloatParam | IntParam | ChoiceParam
