"""The metric against the log loss after calibration: every trial, the front, the shipped trial."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from autoloss.records import REFINED_LOG_LOSS, Summary
from autoloss.report.figures._base import Focus, PageFigure, ends, focus, outside_note, roomy
from autoloss.report.figures._draw import (
    INK,
    PAGE,
    layout,
    line,
    metric_axis,
    notes,
    pen,
    points,
    rings,
    trial_hover,
)
from autoloss.report.palette import Look, looks
from autoloss.report.roles import marked_trials, metric_value
from autoloss.report.words import MetricWords, count_text, metric_words, value_text


@dataclass(frozen=True)
class TradeoffPoint:
    """A trial: `x` its metric, `y` its log loss after calibration, `mark` its role or empty."""

    number: int
    family: str
    label: str
    x: float
    y: float
    mark: str


@dataclass(frozen=True)
class TradeoffInfo:
    """The data of the scatter.

    Args:
        metric: Name of the metric on the x axis.
        words: The metric in words.
        points: The trials that have both values.
        front: The points on the Pareto front, best metric first.
        x: Range of the metric.
        y: Range of the log loss.
        missing: Trials without both values, which cannot be drawn.
    """

    metric: str
    words: MetricWords
    points: tuple[TradeoffPoint, ...]
    front: tuple[TradeoffPoint, ...]
    x: Focus
    y: Focus
    missing: int


def tradeoff_info(summary: Summary) -> TradeoffInfo:
    """Return the data of the scatter plot."""
    marks = marked_trials(summary)
    points = tuple(
        TradeoffPoint(trial.number, trial.family, trial.label, x, y, marks.get(trial.number, ""))
        for trial in summary.trials
        if math.isfinite(x := metric_value(trial, summary.metric))
        and math.isfinite(y := metric_value(trial, REFINED_LOG_LOSS))
    )
    sign = 1.0 if summary.lower_is_better else -1.0
    front = sorted(
        (point for point in points if point.number in summary.pareto),
        key=lambda point: (sign * point.x, point.y),
    )
    kept = [point for point in points if point.mark or point.number in summary.pareto]
    return TradeoffInfo(
        metric=summary.metric,
        words=metric_words(summary.metric, lower_is_better=summary.lower_is_better),
        points=points,
        front=tuple(front),
        x=focus(
            (point.x for point in points),
            keep=[point.x for point in kept],
            lower_is_better=summary.lower_is_better,
        ),
        y=focus((point.y for point in points), keep=[point.y for point in kept]),
        missing=len(summary.trials) - len(points),
    )


def tradeoff_figure(summary: Summary) -> PageFigure | None:
    """Return the scatter, or None if no trial has both values."""
    info = tradeoff_info(summary)
    if not info.points:
        return None
    outside = sum(
        not (info.x.low <= p.x <= info.x.high and info.y.low <= p.y <= info.y.high)
        for p in info.points
    )
    missing = f" {info.missing} without a score cannot be drawn." if info.missing else ""
    best = "lower left" if info.words.lower_is_better else "lower left (the axis is reversed)"
    return PageFigure(
        id="tradeoff",
        group="tradeoff",
        title=f"{info.words.title} against log loss after calibration",
        caption=(
            f"Each mark is a trial on the validation rows; better is {best}. The dashed line is "
            "the front: no trial beats its trials in both figures."
            + outside_note(outside, "the trials")
            + missing
        ),
        alt=_alt(info),
        height=460,
        spec={"data": _traces(info), "layout": _layout(info)},
    )


def _alt(info: TradeoffInfo) -> str:
    """Return the scatter in words."""
    marked = "; ".join(
        f"{point.mark}: trial {point.number}, {value_text(info.metric, point.x)} and "
        f"{value_text(REFINED_LOG_LOSS, point.y)} nats"
        for point in info.points
        if point.mark
    )
    count = f"Scatter of {count_text(len(info.points), 'trial')}, {len(info.front)} on the front."
    return f"{count} {marked}".strip()


def _traces(info: TradeoffInfo) -> list[dict[str, Any]]:
    """Return a trace per family, the front, and rings around the marked trials."""
    families = looks(point.family for point in info.points)
    front = {**pen(INK, 1.5, "dash"), "shape": "hv"}
    return [
        *(_family_trace(info, name, look) for name, look in sorted(families.items())),
        line([point.x for point in info.front], [point.y for point in info.front], front),
        rings(_marked(info), size=19),
    ]


def _family_trace(info: TradeoffInfo, family: str, look: Look) -> dict[str, Any]:
    """Return the marks of one family."""
    members = [point for point in info.points if point.family == family]
    return points(
        [point.x for point in members],
        [point.y for point in members],
        hovers=[
            trial_hover(
                point.number,
                point.mark,
                point.label,
                f"{info.words.title} {value_text(info.metric, point.x)}",
                f"Log loss after calibration {value_text(REFINED_LOG_LOSS, point.y)}",
            )
            for point in members
        ],
        color=look.css,
        symbol=look.symbol,
        size=9 * look.size,
        line={"color": PAGE, "width": 0.75},
    ) | {"meta": {"family": family}}


def _layout(info: TradeoffInfo) -> dict[str, Any]:
    """Return the axes, and a label near each marked trial; below all there is room for them."""
    span = ends(info.x, lower_is_better=info.words.lower_is_better)
    return layout(
        x=metric_axis(info.metric, info.words, range=span),
        y=metric_axis(REFINED_LOG_LOSS, metric_words(REFINED_LOG_LOSS), range=roomy(info.y)),
        annotations=notes(_marked(info)),
    )


def _marked(info: TradeoffInfo) -> list[tuple[float, float, str]]:
    return [(point.x, point.y, point.mark) for point in info.points if point.mark]
