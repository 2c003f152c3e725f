"""Learning curves: every trial thin in its family's colour, marked trials thick."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from autoloss.records import REFINED_LOG_LOSS, Summary, TrialRecord
from autoloss.report.figures._base import Focus, PageFigure, focus
from autoloss.report.figures._draw import (
    ACCENT,
    INK,
    axis,
    layout,
    line,
    metric_axis,
    pen,
    plain,
)
from autoloss.report.palette import looks
from autoloss.report.roles import is_accented, marked_trials
from autoloss.report.words import MetricWords, count_text, metric_words

# The metrics of a learning curve.
_MEASURED = (REFINED_LOG_LOSS, "error")


@dataclass(frozen=True)
class Line:
    """The curve of one trial; `mark` is its role or empty."""

    number: int
    family: str
    epochs: tuple[int, ...]
    values: tuple[float, ...]
    mark: str


@dataclass(frozen=True)
class CurvesInfo:
    """The data of the learning curves of one metric.

    Args:
        metric: Name of the metric.
        words: The metric in words.
        lines: Curves with at least one finite value.
        y: The range.
    """

    metric: str
    words: MetricWords
    lines: tuple[Line, ...]
    y: Focus


def curves_info(summary: Summary, metric: str) -> CurvesInfo:
    """Return the data of the learning curves of one metric."""
    marks = marked_trials(summary)
    lines = [_line(trial, metric, marks.get(trial.number, "")) for trial in summary.trials]
    kept = tuple(line for line in lines if line.values)
    return CurvesInfo(
        metric=metric,
        words=metric_words(metric),
        lines=kept,
        y=focus(
            (value for line in kept for value in line.values),
            keep=[line.values[-1] for line in kept if line.mark],
        ),
    )


def curves_figures(summary: Summary) -> tuple[PageFigure, ...]:
    """Return the learning curves of the objective and of the error."""
    infos = [info for name in _MEASURED if (info := curves_info(summary, name)).lines]
    return tuple(_figure(info) for info in infos)


def _line(trial: TrialRecord, metric: str, mark: str) -> Line:
    """Return the finite part of a trial's curve."""
    pairs = [
        (point.epoch, value)
        for point in trial.curve
        if math.isfinite(value := getattr(point, metric))
    ]
    return Line(
        trial.number,
        trial.family,
        tuple(epoch for epoch, _ in pairs),
        tuple(value for _, value in pairs),
        mark,
    )


def _figure(info: CurvesInfo) -> PageFigure:
    """Return the learning curves of one metric."""
    ends = "; ".join(f"{line.mark}: epoch {line.epochs[-1]}" for line in info.lines if line.mark)
    trials = count_text(len(info.lines), "trial")
    early = " Early epochs lie above the frame." if info.y.outside else ""
    return PageFigure(
        id=f"curves-{info.metric}",
        group="curves",
        title=f"{info.words.title} while training",
        caption=f"{trials} on the validation rows, thin in the colour of their family.{early}",
        alt=f"Learning curves of {trials}. Last points: {ends or 'none marked'}.",
        height=360,
        key=tuple((line.mark, _style(line)) for line in info.lines if line.mark),
        spec={"data": list(_traces(info)), "layout": _layout(info)},
    )


def _traces(info: CurvesInfo) -> Iterator[dict[str, Any]]:
    """Yield a trace per family, its curves parted by gaps, then the marked curves."""
    style = looks(one.family for one in info.lines)
    for family, look in sorted(style.items()):
        lines = [one for one in info.lines if one.family == family and not one.mark]
        if lines:
            yield line(
                [item for one in lines for item in (*one.epochs, None)],
                [item for one in lines for item in (*one.values, None)],
                pen(look.css, 1),
                mode="lines+markers" if len(info.lines) < 8 else "lines",
                customdata=[one.number for one in lines for _ in (*one.epochs, None)],
                marker={"size": 4},
                opacity=0.45,
                name="trial %{customdata}, " + plain(family),
                meta={"family": family},
            )
    for one in info.lines:
        if one.mark:
            yield line(
                one.epochs,
                one.values,
                _style(one),
                mode="lines+markers" if len(one.epochs) == 1 else "lines",
                marker={"size": 8},
                name=f"trial {one.number}, {one.mark}",
            )


def _style(one: Line) -> dict[str, Any]:
    """Return how the curve of a marked trial is drawn."""
    return pen(ACCENT, 2.5) if is_accented(one.mark) else pen(INK, 2.5, "6px,3px")


def _layout(info: CurvesInfo) -> dict[str, Any]:
    """Return the axes."""
    return layout(
        x=axis("Epoch", rangemode="tozero", nticks=8),
        y=metric_axis(info.metric, info.words, range=[info.y.low, info.y.high]),
    )
