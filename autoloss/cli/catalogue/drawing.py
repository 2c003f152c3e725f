"""Draws the signal of a loss with characters: Braille dots, or ASCII."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from autoloss.cli.catalogue.signal import LogitSignal, assumptions, signals
from autoloss.cli.tables import show_table
from autoloss.cli.terminal import can_show
from autoloss.losses import Loss
from autoloss.report.words import listed

PROBS = (0.01, 0.1, 0.5, 0.9, 0.99)
_LEAST, _MOST = 40, 76
_SOLID, _GAPS, _LINE = "⠒⠒⠒", "⠒ ⠒", "┄┄┄"
# Dots of a Braille character by column and row, as bits of its code point.
_BRAILLE = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
_COLUMNS, _ROWS = 2, 4
_HIGHEST = 12.0


def show_signal(console: Console, loss: Loss) -> None:
    """Print the signal of a loss, as wide as the console up to a limit."""
    found = signals(loss)
    if not found:
        console.print(
            "No signal is drawn, because the loss reads only the direction of the logits."
        )
        return
    braille = can_show(_SOLID + _LINE, console.encoding)
    title = "Signal: gradient on the true logit as a multiple of cross-entropy's (phi)"
    console.print(Text(title, style="bold"))
    console.print("over p, the softmax of the true class; the other classes share the rest evenly")
    console.print(_legend(loss, found, braille=braille))
    width = max(min(console.width, _MOST), _LEAST)
    for line in draw([one.values for one in found], width=width, braille=braille):
        console.print(Text(line), soft_wrap=True)
    rows = [
        (f"phi, {one.name}" if one.name else "phi", *map(signal_text, one.values(PROBS)))
        for one in found
    ]
    console.print()
    show_table(console, ("p", *(f"{prob:g}" for prob in PROBS)), rows)


def signal_text(value: float) -> str:
    """Return a value of the signal with three digits.

    Examples:
        >>> [signal_text(value) for value in (-0.0, 0.59657, 1170.2, 2e-9)]
        ['0', '0.597', '1170', '2e-09']
    """
    if abs(value) < 1e-12:
        return "0"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def _legend(loss: Loss, found: Sequence[LogitSignal], *, braille: bool) -> str:
    """Return the names of the curves, and the assumptions behind them."""
    marks = (_SOLID, _GAPS) if braille else ("***", "o o")
    names = [f"{mark} {one.name or loss.name}" for mark, one in zip(marks, found, strict=False)]
    names.append(f"{_LINE if braille else '...'} cross-entropy")
    assumed = assumptions(loss)
    return "   ".join(names) + (f"   for {listed(assumed)}" if assumed else "")


@dataclass(frozen=True)
class _Scale:
    """The scale of a vertical axis.

    Args:
        low: Value at the lower edge.
        high: Value at the upper edge.
        log: Whether the scale is logarithmic.
    """

    low: float
    high: float
    log: bool

    @classmethod
    def of(cls, values: Sequence[float]) -> _Scale:
        """Return a scale that covers values and 1, but not outliers."""
        low, high = min((*values, 0.9)), max((*values, 1.1))
        if low > 0.0 and high > 20.0:
            return cls(0.7 * low, 1.1 * high, True)
        high = min(high, _HIGHEST)
        return cls(max(min(low, 0.0), -high / 3.0), high, False)

    def share(self, value: float) -> float:
        """Return the height of a value, 0 at the lower edge and 1 at the upper edge."""
        if self.log:
            if value <= 0.0:
                return -1.0
            low, high, value = math.log(self.low), math.log(self.high), math.log(value)
            return (value - low) / (high - low)
        return (value - self.low) / (self.high - self.low)

    def ticks(self) -> list[float]:
        """Return the ticks, which include 0 and 1 on a linear scale."""
        if self.log:
            powers = range(math.ceil(math.log10(self.low)), math.floor(math.log10(self.high)) + 1)
            return [10.0**power for power in powers]
        step = next(step for step in (0.5, 1.0, 2.0, 5.0) if self.high - self.low <= 5.5 * step)
        first, last = math.ceil(self.low / step), math.floor(self.high / step)
        return sorted({1.0, *(n * step for n in range(first, last + 1) if n * step != 1.5)})


def draw(
    curves: Sequence[Callable[[Sequence[float]], Sequence[float]]],
    *,
    width: int,
    height: int = 10,
    braille: bool = True,
) -> list[str]:
    """Return a drawing of curves over (0, 1), with axes and a line at 1.

    The first curve is solid; the second has gaps, and the third has wider gaps.

    Args:
        curves: Functions from positions on the axis to values; NaN for no value.
        width: Most characters of a line, at least 30.
        height: Lines of the drawing itself.
        braille: Whether the output can show Braille.
    """
    margin = 6
    n = width - margin - 1
    dots = _COLUMNS if braille else 1
    places = [(i + 0.5) / (n * dots) for i in range(n * dots)]
    found = [list(curve(places)) for curve in curves]
    inside = [
        value
        for values in found
        for place, value in zip(places, values, strict=True)
        if 0.02 <= place <= 0.98 and math.isfinite(value)
    ]
    scale = _Scale.of(inside)
    rows = height * (_ROWS if braille else 1)
    cells = [[0] * n for _ in range(height)] if braille else []
    letters = [[" "] * n for _ in range(height)]
    level = _row(scale.share(1.0), height)
    if 0 <= level < height:
        letters[level] = ["┄" if braille else "."] * n
    for number, values in enumerate(found):
        for column, (first, last) in _strokes(values, scale, rows).items():
            if number and column // dots % (number + 1) == number:
                continue
            for row in range(first, last + 1):
                if braille:
                    bit = _BRAILLE[column % _COLUMNS][row % _ROWS]
                    cells[row // _ROWS][column // _COLUMNS] |= bit
                else:
                    letters[row][column] = "*o+"[number % 3]
    for row, line in enumerate(cells):
        for column, bits in enumerate(line):
            if bits:
                letters[row][column] = chr(0x2800 + bits)
    return _with_axes(letters, scale, braille=braille, margin=margin)


def _strokes(values: Sequence[float], scale: _Scale, rows: int) -> dict[int, tuple[int, int]]:
    """Return the rows that a curve covers in each column, from the upper to the lower."""
    found: dict[int, tuple[int, int]] = {}
    before: int | None = None
    for column, value in enumerate(values):
        if not math.isfinite(value):
            before = None
            continue
        row = _row(scale.share(value), rows)
        # A steep piece begins where the previous piece ends.
        start = row if before is None else before + (row > before) - (row < before)
        first, last = sorted((start, row))
        before = row
        if last >= 0 and first < rows:
            found[column] = max(first, 0), min(last, rows - 1)
    return found


def _row(share: float, rows: int) -> int:
    """Return the row of a height, counted from the upper edge; it may lie outside."""
    if not 0.0 <= share <= 1.0:
        return -1 if share > 1.0 else rows
    return min(int((1.0 - share) * rows), rows - 1)


def _with_axes(
    letters: Sequence[Sequence[str]], scale: _Scale, *, braille: bool, margin: int
) -> list[str]:
    """Return the lines of a drawing with axis labels on the left and below."""
    height, n = len(letters), len(letters[0])
    labels = {_row(scale.share(tick), height): tick for tick in reversed(scale.ticks())}
    labels[_row(scale.share(1.0), height)] = 1.0
    bar, tick_bar, corner, dash = ("│", "┤", "└", "─") if braille else ("|", "+", "+", "-")
    lines = []
    for row, line in enumerate(letters):
        label = f"{labels[row]:g}" if row in labels else ""
        lines.append(f"{label:>{margin - 1}} {tick_bar if label else bar}{''.join(line)}".rstrip())
    lines.append(f"{'':{margin}}{corner}{dash * n}")
    below = [" "] * (n + margin + 1)
    for place in (0.0, 0.25, 0.5, 0.75, 1.0):
        text = f"{place:g}"
        start = margin + 1 + round(place * (n - 1)) - (len(text) if place == 1.0 else 1) // 2
        start = min(start, len(below) - len(text))
        below[start : start + len(text)] = text
    lines.append("".join(below).rstrip())
    return lines
