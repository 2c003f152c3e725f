"""Axes: positions of values, ticks, and their labels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from autoloss.report.svg.text import FONT, lines_of, text_width

_STEPS = (1.0, 2.0, 2.5, 5.0)


@dataclass(frozen=True)
class Axis:
    """An axis in pixels.

    Args:
        low: Value at the start; larger than `high` where the axis is reversed.
        high: Value at the end.
        start: Pixel of `low`.
        end: Pixel of `high`.
        log: Whether the scale is logarithmic.
        options: The options of the figure: title, ticks, format.
    """

    low: float
    high: float
    start: float
    end: float
    log: bool
    options: dict[str, Any]

    def at(self, value: float) -> float:
        """Return the pixel of a value; a value that a log axis cannot show is at its start."""
        low, high = self.low, self.high
        if self.log:
            value = math.log10(value) if value > 0 else low
        return self.start + (value - low) / ((high - low) or 1.0) * (self.end - self.start)

    @property
    def span(self) -> float:
        """Return its length in pixels."""
        return abs(self.end - self.start)

    def ticks(self, *, is_level: bool) -> list[tuple[float, list[str]]]:
        """Return the values that are written, and their lines of text, none over another.

        Args:
            is_level: Whether the axis is horizontal, so that labels stand side by side.
        """
        if "tickvals" in self.options:
            texts = self.options.get("ticktext") or [
                f"{value:g}" for value in self.options["tickvals"]
            ]
            pairs = [
                (float(value), lines_of(text))
                for value, text in zip(self.options["tickvals"], texts, strict=True)
            ]
            return self._apart(pairs) if is_level else pairs
        if self.log:
            first, last = sorted((self.low, self.high))
            powers = range(math.ceil(first - 1e-9), math.floor(last + 1e-9) + 1)
            return [(10.0**power, [_short(10.0**power)]) for power in powers]
        fitting = max(3, int(self.span / (40 if is_level else 30)))
        most = min(self.options.get("nticks", 8), fitting)
        low, high = sorted((self.low, self.high))
        found: list[tuple[float, list[str]]] = []
        for count in range(most, 1, -1):
            values, step = nice_ticks(low, high, count)
            texts = [self._format(value, step) for value in values]
            # A single value gives no scale, so the ends of the last scale are kept.
            if len(values) < 2 and found:
                return [found[0], found[-1]]
            found = [(value, [text]) for value, text in zip(values, texts, strict=True)]
            widest = max(map(text_width, texts), default=0.0)
            if not is_level or widest + 8 < self.span * step / self._size:
                break
        return found

    @property
    def _size(self) -> float:
        return abs(self.high - self.low) or 1.0

    def _apart(self, pairs: list[tuple[float, list[str]]]) -> list[tuple[float, list[str]]]:
        """Return the labels that do not run into the label before."""
        kept: list[tuple[float, list[str]]] = []
        edge = -math.inf
        for value, lines in sorted(pairs, key=lambda pair: self.at(pair[0])):
            half = 0.5 * max(map(text_width, lines), default=0.0)
            if self.at(value) - half > edge + 6:
                kept.append((value, lines))
                edge = self.at(value) + half
        return kept

    def _format(self, value: float, step: float) -> str:
        form = str(self.options.get("tickformat", ""))
        if form == "~s":
            return _short(value)
        if form.endswith("%"):
            return tick_text(100 * value, 100 * step) + "%"
        return tick_text(value, step)


def make_axis(
    options: dict[str, Any], values: Sequence[float], start: float, end: float, *, zero: bool
) -> Axis:
    """Return an axis over its own range, or over the values if it has none.

    Args:
        options: The options of the figure.
        values: The values on it.
        start: Its first pixel.
        end: Its last pixel.
        zero: Whether 0 must be on it.
    """
    log = options.get("type") == "log"
    if "range" in options:
        low, high = options["range"]
        return Axis(float(low), float(high), start, end, log, options)
    seen = [value for value in values if math.isfinite(value) and (value > 0 or not log)]
    if log:
        seen = [math.log10(value) for value in seen]
    low, high = min(seen, default=0.0), max(seen, default=1.0)
    air = 0.05 * (high - low) or 0.5
    if log:
        return Axis(math.floor(low - 1e-9), high + air, start, end, log, options)
    is_from_zero = zero or options.get("rangemode") == "tozero"
    low = min(0.0, low) if is_from_zero else low - air
    return Axis(low, high + air, start, end, log, options)


def nice_ticks(low: float, high: float, count: int) -> tuple[list[float], float]:
    """Return round values from low to high, as many as `count` allows, and their distance.

    Examples:
        >>> nice_ticks(0.0, 1.0, 5)
        ([0.0, 0.25, 0.5, 0.75, 1.0], 0.25)
    """
    size = high - low
    # The least numbers of all have no logarithm that a step could be taken from.
    if not math.isfinite(size) or size < 1e-300:
        return [low], 1.0
    raw = size / (count + 1)
    power = 10.0 ** math.floor(math.log10(raw))
    for step in (10.0**up * one * power for up in range(3) for one in _STEPS):
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if step >= raw and last - first < count:
            break
    return [place * step for place in range(first, last + 1)], step


def left_margin(ticks: Sequence[tuple[float, list[str]]], title: str) -> float:
    """Return the room that the labels of an upright axis need."""
    widest = max((text_width(line) for _, lines in ticks for line in lines), default=0.0)
    return 1.04 * widest + 14 + (FONT + 7 if title else 0)


def tick_text(value: float, step: float) -> str:
    """Return a value at an axis with all the digits that its step has, and no more.

    Examples:
        >>> [tick_text(value, 2.5) for value in (52.5, 55.0)], tick_text(-12500.0, 500.0)
        (['52.5', '55.0'], '−12,500')
    """
    size = max(abs(value), step)
    if size >= 1e7 or step < 1e-7:
        # As many digits as tell the value from its neighbours.
        digits = math.floor(math.log10(size) + 1e-9) - math.floor(math.log10(step) + 1e-9)
        return f"{value:.{max(digits, 0) + _is_quarter(step)}e}".replace("-", "−")
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    power = 10.0**digits
    if abs(step * power - round(step * power)) > 1e-6:
        digits += 1
    text = f"{value:,.{digits}f}"
    return text.replace("-", "−") if float(text.replace(",", "")) else text.lstrip("-")


def _is_quarter(step: float) -> bool:
    """Return whether the first digits of a step are 25."""
    first = step / 10.0 ** math.floor(math.log10(step) + 1e-9)
    return abs(first - 2.5) < 1e-6


def _short(value: float) -> str:
    """Return a count, in thousands or millions if it is large."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"
