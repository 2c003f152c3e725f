"""What all figures share: the drawn form, axes in the page's colours, the range looked at."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autoloss.records import Summary
from autoloss.report.roles import BASELINE, CHALLENGER, SHIPS
from autoloss.report.words import MetricWords, metric_words

INK, MUTED, ACCENT, PAGE = (
    "var(--ink)",
    "var(--muted)",
    "var(--accent)",
    "var(--page)",
)


@dataclass(frozen=True)
class Figure:
    """A figure of the page.

    Args:
        id: Its name in the page.
        group: The section that shows it.
        title: What it shows.
        caption: How to read it, one or two sentences.
        alt: What a reader who cannot see it should know.
        height: In CSS pixels.
        key: What the lines are: a text and how the line is drawn, above the drawing.
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
    """A line a model: how they are drawn, and what the key says of them."""

    traces: tuple[dict[str, Any], ...]
    key: tuple[tuple[str, dict[str, Any]], ...]


@dataclass(frozen=True)
class Focus:
    """The part of an axis that is looked at.

    Args:
        low: Its lower end.
        high: Its upper end.
        outside: Values that lie beyond it.
    """

    low: float
    high: float
    outside: int

    @property
    def note(self) -> str:
        """Return a sentence on marks outside the frame, or an empty string if there are none."""
        if not self.outside:
            return ""
        verb = "lies" if self.outside == 1 else "lie"
        return f" {self.outside} of them {verb} outside the frame; the table lists all trials."


def focus(
    values: Iterable[float], *, keep: Iterable[float] = (), lower_is_better: bool = True
) -> Focus:
    """Return a range that failed trials do not stretch.

    The good side shows everything; the bad side ends at the upper quartile plus 1.5 times the
    distance between the quartiles, or at the worst value of `keep`.

    Args:
        values: Values on the axis; what is not finite is left out.
        keep: Values that must be seen.
        lower_is_better: Which side is the good one.

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


def roomy(part: Focus) -> list[float]:
    """Return a range with room for labels below the lowest value, where there is no mark."""
    return [part.low - 0.2 * (part.high - part.low), part.high]


def plain(text: str) -> str:
    """Return text for a label, which is read as a small HTML."""
    return html.escape(" ".join(str(text).split()), quote=False)


def two_lines(name: str) -> str:
    """Return a long name in two lines, so that a narrow page keeps room for the marks."""
    return name.replace(" ", "<br>", 1) if len(name) > 16 else name


def hover(*lines: str) -> str:
    """Return lines of plain text as one hover label, the first one bold."""
    first, *rest = (plain(line) for line in lines if line)
    return "<br>".join([f"<b>{first}</b>", *rest])


def axis(title: str, **options: Any) -> dict[str, Any]:
    """Return an axis in the page's manner."""
    return {"title": {"text": plain(title)}, **options}


def metric_axis(name: str, words: MetricWords, **options: Any) -> dict[str, Any]:
    """Return the axis of a metric: shares as percentages, the unit in the title."""
    unit = ", nats" if words.kind == "nats" else ""
    share = {"tickformat": ".2~%"} if metric_words(name).kind == "share" else {}
    return axis(words.title + unit, **share, **options)


def layout(
    *,
    x: dict[str, Any],
    y: dict[str, Any],
    annotations: Sequence[dict[str, Any]] = (),
    **more: Any,
) -> dict[str, Any]:
    """Return a layout in the page's manner: axes, labels, and what else is drawn."""
    return {
        "xaxis": x,
        "yaxis": y,
        "annotations": list(annotations),
        **more,
    }


def marked_colour(mark: str) -> str:
    """Return the colour of what belongs to a marked trial."""
    return ACCENT if SHIPS in mark else INK


def rings(points: Sequence[tuple[float, float, str]], *, size: float) -> dict[str, Any]:
    """Return rings around the trials that the text speaks of: x, y and mark of each."""
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [x for x, _, _ in points],
        "y": [y for _, y, _ in points],
        "marker": {
            "symbol": "circle-open",
            "size": size,
            "color": [marked_colour(mark) for _, _, mark in points],
            "line": {"width": 2.5},
        },
        "hoverinfo": "skip",
    }


def model_lines(
    summary: Summary,
    points: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    figures: Mapping[str, str],
) -> ModelLines:
    """Return a line for challenger and tuned cross-entropy, what ships in full and in its colour.

    Args:
        summary: The study; where nothing challenged tuned cross-entropy, only that has a line.
        points: The x and the y of each, by its role.
        figures: What the key says of each besides its name.
    """
    verdict = summary.verdict
    numbers = {CHALLENGER: verdict.challenger, BASELINE: verdict.baseline}
    traces, key = [], []
    for role, (x, y) in points.items():
        if role == CHALLENGER and verdict.challenger == verdict.baseline:
            continue
        ships = numbers[role] == summary.recommended
        line = {"color": ACCENT, "width": 2.4} if ships else {"color": INK, "width": 1.8}
        if role == CHALLENGER:
            line["dash"] = "dash"
        said = figures.get(role, "")
        name = f"{role} (ships)" if ships else role
        traces.append(
            {"type": "scatter", "mode": "lines", "x": list(x), "y": list(y), "line": line}
        )
        key.append((f"{name}, {said}" if said else name, line))
    return ModelLines(tuple(traces), tuple(key))


def band(low: float, high: float) -> dict[str, Any]:
    """Return a shade from one x to another, behind everything else."""
    return {
        "type": "rect",
        "x0": low,
        "x1": high,
        "yref": "paper",
        "y0": 0,
        "y1": 1,
        "fillcolor": "var(--band)",
        "line": {"width": 0},
        "layer": "below",
    }
