"""The sources of the gain: a bar from step to step, with the interval of each change."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from autoloss.records import Summary
from autoloss.report.figures._base import PageFigure
from autoloss.report.figures._draw import (
    INK,
    MUTED,
    hover,
    layout,
    line,
    metric_axis,
    pen,
    plain,
    points,
    rows_axis,
)
from autoloss.report.figures._finalists import TONES
from autoloss.report.gains import gain_metrics, gain_sentences, gain_steps, lower_is_better
from autoloss.report.words import (
    MetricWords,
    difference_text,
    interval_text,
    metric_words,
    reading_text,
    short,
    value_text,
)


@dataclass(frozen=True)
class StepBar:
    """A step: its name, the value before and after it, the interval of the change.

    `start` is NaN in the first step; `low` and `high` are the ends of the interval as values of
    the metric, NaN if unknown.
    """

    name: str
    start: float
    end: float
    change: float
    low: float
    high: float
    reading: str


@dataclass(frozen=True)
class GainsInfo:
    """The data of a figure: the metric in words, and the steps that have a value."""

    metric: str
    words: MetricWords
    bars: tuple[StepBar, ...]


def gains_info(summary: Summary, metric: str) -> GainsInfo:
    """Return the effects of the steps on the metric; steps without a value are left out."""
    lower = lower_is_better(summary, metric)
    bars: list[StepBar] = []
    for step in gain_steps(summary, metric):
        if not math.isfinite(step.value):
            continue
        start = bars[-1].end if bars else math.nan
        reading = reading_text(step.low, step.high, lower_is_better=lower)
        known = reading != "unknown"
        low, high = (start + step.low, start + step.high) if known else (math.nan, math.nan)
        bars.append(StepBar(step.name, start, step.value, step.change, low, high, reading))
    return GainsInfo(metric, metric_words(metric, lower_is_better=lower), tuple(bars))


def gains_figures(summary: Summary) -> tuple[PageFigure, ...]:
    """Return one figure for the metric and one for the log loss; none for a single step."""
    infos = [gains_info(summary, metric) for metric in gain_metrics(summary)]
    return tuple(_figure(summary, info) for info in infos if len(info.bars) > 1)


def _figure(summary: Summary, info: GainsInfo) -> PageFigure:
    """Return the steps of one metric."""
    caption = " ".join(gain_sentences(summary))
    first, last = info.bars[0], info.bars[-1]
    known = any(bar.reading != "unknown" for bar in info.bars)
    lines = "; a thin line is the 95% interval of its step, grey where it covers zero"
    lines = lines if known else ""
    return PageFigure(
        id=f"gains-{info.metric}",
        group="gains",
        title=info.words.title,
        caption=(
            f"Left is better. From {value_text(info.metric, first.end)} to "
            f"{value_text(info.metric, last.end)}{lines}."
        ),
        alt=(
            f"{info.words.title} from {value_text(info.metric, first.end)} "
            f"({first.name}) to {value_text(info.metric, last.end)} ({last.name}). {caption}"
        ),
        height=90 + 46 * len(info.bars),
        spec={"data": _traces(info), "layout": _layout(info)},
    )


def _traces(info: GainsInfo) -> list[dict[str, Any]]:
    """Return the bars, then the end of each step."""
    steps = [(row, bar) for row, bar in enumerate(info.bars) if math.isfinite(bar.start)]
    tones = [TONES.get(bar.reading, MUTED) for _, bar in steps]
    bars = {
        "type": "bar",
        "orientation": "h",
        "base": [bar.start for _, bar in steps],
        "x": [bar.end - bar.start for _, bar in steps],
        "y": [row for row, _ in steps],
        "width": 0.42,
        "marker": {"color": tones, "opacity": 0.55},
    }
    intervals = [
        line([bar.low, bar.high], [row, row], pen(tone, 2))
        for (row, bar), tone in zip(steps, tones, strict=True)
        if bar.reading != "unknown"
    ]
    ends = points(
        [bar.end for bar in info.bars],
        range(len(info.bars)),
        hovers=[_hover(info, bar) for bar in info.bars],
        color=INK,
        size=8,
    )
    return [bars, *intervals, ends]


def _hover(info: GainsInfo, bar: StepBar) -> str:
    """Return the label of one step."""
    name = info.metric
    lines = [f"{info.words.title} {value_text(name, bar.end)}"]
    if math.isfinite(bar.change):
        lines.append(f"Changed by {difference_text(name, bar.change)}")
    if bar.reading != "unknown":
        ends = interval_text(name, bar.low - bar.start, bar.high - bar.start)
        lines.append(f"95% interval {ends}")
    return hover(bar.name, *lines)


def _layout(info: GainsInfo) -> dict[str, Any]:
    """Return a row per step, and a thread from the end of each step to the next."""
    rows = info.bars
    values = [value for bar in rows for value in (bar.end, bar.low, bar.high)]
    seen = [value for value in values if math.isfinite(value)]
    air = 0.06 * (max(seen) - min(seen)) or 0.05 * abs(max(seen)) or 0.05
    ends = [min(seen) - air, max(seen) + air]
    if not info.words.lower_is_better:
        ends.reverse()
    names = [
        plain(short(bar.name, 22))
        + (f"<br>{difference_text(info.metric, bar.change)}" if math.isfinite(bar.change) else "")
        for bar in rows
    ]
    thread = {"type": "line", "line": pen(MUTED, 1, "dot"), "layer": "below"}
    return layout(
        x=metric_axis(info.metric, info.words, range=ends, nticks=5),
        y=rows_axis(names, showgrid=False),
        shapes=[
            {**thread, "x0": bar.end, "x1": bar.end, "y0": row, "y1": row + 1}
            for row, bar in enumerate(rows[:-1])
        ],
    )
