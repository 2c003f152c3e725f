"""The finalists as dots with intervals: the difference of each to tuned cross-entropy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from autoloss.records import Finalist, Summary
from autoloss.report.figures._base import (
    ACCENT,
    INK,
    MUTED,
    PAGE,
    Figure,
    Focus,
    axis,
    focus,
    hover,
    layout,
    plain,
    two_lines,
)
from autoloss.report.finalists import ordered_finalists, takes_part, trial_label
from autoloss.report.palette import looks
from autoloss.report.roles import find_trial
from autoloss.report.words import (
    MetricWords,
    difference_text,
    family_words,
    in_sentence,
    interval_text,
    metric_words,
    reading_text,
    short,
)

TONES = {"better": "var(--good)", "worse": "var(--bad)"}


@dataclass(frozen=True)
class Dot:
    """A finalist's difference to tuned cross-entropy.

    Args:
        number: Its trial.
        family: Its family, or empty text if it is not known.
        label: The loss in short.
        difference: Its metric minus that of tuned cross-entropy.
        low: Lower end of the interval, NaN where it is not known.
        high: Upper end of it.
        reading: What the interval says.
        trainings: The difference in each pair of trainings.
        ships: Whether it is what ships.
    """

    number: int
    family: str
    label: str
    difference: float
    low: float
    high: float
    reading: str
    trainings: tuple[float, ...]
    ships: bool


@dataclass(frozen=True)
class FinalistsInfo:
    """What the figure shows: the metric, the finalists that are compared, the range."""

    metric: str
    words: MetricWords
    dots: tuple[Dot, ...]
    x: Focus


def finalists_info(summary: Summary) -> FinalistsInfo:
    """Return the data of the figure; tuned cross-entropy is its line and no dot."""
    found = {one.number: one for one in summary.finalists}
    baseline = found.get(summary.verdict.baseline)
    dots = tuple(
        _dot(summary, one, baseline)
        for one in ordered_finalists(summary)
        if takes_part(one) and one is not baseline and math.isfinite(one.difference)
    )
    ends = [value for dot in dots for value in (dot.low, dot.high, dot.difference)]
    trainings = [value for dot in dots for value in dot.trainings]
    words = metric_words(summary.metric, lower_is_better=summary.lower_is_better)
    part = focus(
        [*ends, *trainings, 0.0],
        keep=[*ends, 0.0],
        lower_is_better=summary.lower_is_better,
    )
    return FinalistsInfo(summary.metric, words, dots, part)


def finalists_figure(summary: Summary) -> Figure | None:
    """Return the dots, or None if nothing was compared with tuned cross-entropy."""
    info = finalists_info(summary)
    if not info.dots:
        return None
    title = in_sentence(info.words.title)
    said = "; ".join(
        f"{dot.label}: {difference_text(info.metric, dot.difference)}, {dot.reading}"
        for dot in info.dots
    )
    small = any(dot.trainings for dot in info.dots)
    return Figure(
        id="finalists",
        group="finalists",
        title=f"Difference in {title} to tuned cross-entropy",
        caption=(
            "The number of the trial in brackets; left of the line is better. A line across is "
            "the 95% interval over the trainings"
            + (", a small ring one pair of trainings" if small else "")
            + ". On the held-out rows of the finalists, not on the rows of the verdict."
        ),
        alt=f"Difference in {title} to tuned cross-entropy. {said}.",
        height=90 + 44 * len(info.dots),
        spec={"data": _traces(info), "layout": _layout(info)},
    )


def _dot(summary: Summary, one: Finalist, baseline: Finalist | None) -> Dot:
    """Return one finalist's difference."""
    trial = find_trial(summary, one.number)
    pairs = zip(one.metric, baseline.metric, strict=False) if baseline else ()
    differences = (mine - other for mine, other in pairs)
    return Dot(
        number=one.number,
        family=trial.family if trial else "",
        label=trial_label(summary, one.number),
        difference=one.difference,
        low=one.low,
        high=one.high,
        reading=reading_text(one.low, one.high, lower_is_better=summary.lower_is_better),
        trainings=tuple(value for value in differences if math.isfinite(value)),
        ships=one.number == summary.recommended,
    )


def _scale(info: FinalistsInfo) -> float:
    """Return the unit of drawn differences: points of a share, the metric's unit otherwise."""
    return 100.0 if info.words.kind == "share" else 1.0


def _traces(info: FinalistsInfo) -> list[dict[str, Any]]:
    """Return for each finalist its trainings, then its interval and its dot."""
    scale = _scale(info)
    style = looks(dot.family for dot in info.dots)
    traces: list[dict[str, Any]] = []
    for row, dot in enumerate(info.dots):
        look = style[dot.family]
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "x": [scale * value for value in dot.trainings],
                "y": [row] * len(dot.trainings),
                "marker": {"symbol": "circle-open", "size": 6, "color": MUTED},
                "hoverinfo": "skip",
            }
        )
        known = dot.reading != "unknown"
        interval = interval_text(info.metric, dot.low, dot.high) if known else ""
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "x": [scale * dot.difference],
                "y": [row],
                "error_x": {
                    "type": "data",
                    "symmetric": False,
                    "array": [scale * max(0.0, dot.high - dot.difference)],
                    "arrayminus": [scale * max(0.0, dot.difference - dot.low)],
                    "color": TONES.get(dot.reading, MUTED),
                    "thickness": 3,
                    "width": 0,
                    "visible": known,
                },
                "marker": {
                    "color": look.css,
                    "symbol": look.symbol,
                    "size": 12 * look.size,
                    "line": {
                        "color": ACCENT if dot.ships else PAGE,
                        "width": 2 if dot.ships else 0.5,
                    },
                },
                "hovertext": [
                    hover(
                        f"Trial {dot.number}" + (" · ships" if dot.ships else ""),
                        dot.label,
                        difference_text(info.metric, dot.difference),
                        f"95% interval {interval}: {dot.reading}" if known else "",
                    )
                ],
                "hoverinfo": "text",
            }
        )
    return traces


def _layout(info: FinalistsInfo) -> dict[str, Any]:
    """Return a row a finalist, and the line of tuned cross-entropy."""
    unit = {"share": ", pp", "nats": ", nats"}.get(info.words.kind, "")
    scale = _scale(info)
    ends = [scale * info.x.low, scale * info.x.high]
    if not info.words.lower_is_better:
        ends.reverse()
    names = [
        two_lines(f"{plain(short(family_words(dot.family)))} ({dot.number})") for dot in info.dots
    ]
    line = {
        "type": "line",
        "x0": 0,
        "x1": 0,
        "yref": "paper",
        "y0": 0,
        "y1": 1,
        "line": {"color": MUTED, "width": 1.2, "dash": "dash"},
        "layer": "below",
    }
    title = f"Difference in {in_sentence(info.words.title)}{unit}"
    return layout(
        x=axis(title, range=ends, nticks=5, fixedrange=True),
        y=axis(
            "",
            tickvals=list(range(len(names))),
            ticktext=names,
            range=[len(names) - 0.4, -0.6],
            fixedrange=True,
            tickfont={"color": INK},
        ),
        shapes=[line],
    )
