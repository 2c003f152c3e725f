"""The parts that all figures share: their form, the range that is shown, a line per model."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autoloss.records import Summary
from autoloss.report.figures._draw import ACCENT, INK, line, pen
from autoloss.report.roles import BASELINE, CHALLENGER, recommended_role


@dataclass(frozen=True)
class PageFigure:
    """A figure of the page.

    Args:
        id: Its name in the page.
        group: The section that shows it.
        title: Its title.
        caption: How to read it, one or two sentences.
        alt: Its content for a reader who cannot see it.
        height: In CSS pixels.
        key: The text and the form of each line, above the drawing.
        spec: Traces and axes in the words of plotly's figures, as `svg.figure_svg` draws them; a
            colour ``var(--x)`` is filled in by the page's theme.
    """

    id: str
    group: str
    title: str
    caption: str
    alt: str
    height: int
    spec: dict[str, Any]
    key: tuple[tuple[str, dict[str, Any]], ...] = ()


@dataclass(frozen=True)
class ModelLines:
    """A line per model, and the entries of the key."""

    traces: tuple[dict[str, Any], ...]
    key: tuple[tuple[str, dict[str, Any]], ...]


@dataclass(frozen=True)
class Focus:
    """The part of an axis that is shown.

    Args:
        low: Its lower end.
        high: Its upper end.
        outside: Values that lie beyond it.
    """

    low: float
    high: float
    outside: int


def outside_note(count: int, of: str = "them") -> str:
    """Return a sentence on marks outside the frame, or an empty string if there are none."""
    if not count:
        return ""
    verb = "lies" if count == 1 else "lie"
    return f" {count} of {of} {verb} outside the frame; the table lists all trials."


def focus(
    values: Iterable[float], *, keep: Iterable[float] = (), lower_is_better: bool = True
) -> Focus:
    """Return a range that failed trials do not stretch.

    The good side shows everything; the bad side ends at the upper quartile plus 1.5 times the
    distance between the quartiles, or at the worst value of `keep`.

    Args:
        values: Values on the axis; values that are not finite are left out.
        keep: Values that must be seen.
        lower_is_better: Which side is better.

    Returns:
        The range with 6 % of air on both sides.
    """
    sign = 1.0 if lower_is_better else -1.0
    found = sorted(sign * value for value in values if math.isfinite(value))
    if not found:
        return Focus(0.0, 1.0, 0)
    lower, upper = found[len(found) // 4], found[(3 * len(found)) // 4]
    fence = max([upper + 1.5 * (upper - lower), *(sign * v for v in keep if math.isfinite(v))])
    top = min(found[-1], fence)
    air = 0.06 * (top - found[0]) or 0.05 * abs(top) or 0.05
    low, high = sorted((sign * (found[0] - air), sign * (top + air)))
    return Focus(low, high, sum(not low <= sign * value <= high for value in found))


def ends(part: Focus, *, lower_is_better: bool = True) -> list[float]:
    """Return both ends of a range, the better one to the left."""
    return [part.low, part.high] if lower_is_better else [part.high, part.low]


def roomy(part: Focus) -> list[float]:
    """Return a range with room for labels below all marks."""
    return [part.low - 0.2 * (part.high - part.low), part.high]


def model_lines(
    summary: Summary,
    points: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    figures: Mapping[str, str],
) -> ModelLines:
    """Return a line for challenger and tuned cross-entropy, thick and in colour if recommended.

    Args:
        summary: The study; without a challenger only tuned cross-entropy has a line.
        points: The x and the y of each, by its role.
        figures: The figures of each in the key.
    """
    verdict = summary.verdict
    numbers = {CHALLENGER: verdict.challenger, BASELINE: verdict.baseline}
    traces, key = [], []
    for role, (x, y) in points.items():
        if role == CHALLENGER and verdict.challenger == verdict.baseline:
            continue
        is_chosen = numbers[role] == summary.recommended
        dash = "dash" if role == CHALLENGER else "solid"
        drawn = pen(ACCENT, 2.4, dash) if is_chosen else pen(INK, 1.8, dash)
        figure = figures.get(role, "")
        name = f"{role} ({recommended_role(summary)})" if is_chosen else role
        traces.append(line(x, y, drawn))
        key.append((f"{name}, {figure}" if figure else name, drawn))
    return ModelLines(tuple(traces), tuple(key))
