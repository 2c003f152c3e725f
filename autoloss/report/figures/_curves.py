"""Learning curves: every trial thin in its family's colour, marked trials thick."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from autoloss.records import REFINED_LOG_LOSS, Summary, TrialRecord
from autoloss.report.figures._base import (
    ACCENT,
    INK,
    Figure,
    Focus,
    axis,
    focus,
    layout,
    metric_axis,
    plain,
)
from autoloss.report.palette import looks
from autoloss.report.roles import SHIPS, marked_trials
from autoloss.report.words import MetricWords, count_text, metric_words

# What a point of a curve holds.
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


def curves_figures(summary: Summary) -> tuple[Figure, ...]:
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


def _figure(info: CurvesInfo) -> Figure:
    """Return the learning curves of one metric."""
    ends = "; ".join(f"{line.mark}: epoch {line.epochs[-1]}" for line in info.lines if line.mark)
    trials = count_text(len(info.lines), "trial")
    early = " Early epochs lie above the frame." if info.y.outside else ""
    return Figure(
        id=f"curves-{info.metric}",
        group="curves",
        title=f"{info.words.title} while training",
        caption=f"{trials} on the validation rows, thin in the colour of their family.{early}",
        alt=f"Learning curves of {trials}. Last points: {ends or 'none marked'}.",
        height=360,
        key=tuple((line.mark, _style(line)) for line in info.lines if line.mark),
        spec={"data": _traces(info), "layout": _layout(info)},
    )


def _traces(info: CurvesInfo) -> list[dict[str, Any]]:
    """Return one trace a family, its curves parted by gaps, then the marked curves."""
    style = looks(line.family for line in info.lines)
    traces: list[dict[str, Any]] = []
    for family, look in sorted(style.items()):
        lines = [line for line in info.lines if line.family == family and not line.mark]
        if not lines:
            continue
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers" if len(info.lines) < 8 else "lines",
                "x": [item for line in lines for item in (*line.epochs, None)],
                "y": [item for line in lines for item in (*line.values, None)],
                "customdata": [line.number for line in lines for _ in (*line.epochs, None)],
                "line": {"color": look.css, "width": 1},
                "marker": {"size": 4},
                "opacity": 0.45,
                "hovertemplate": _template("trial %{customdata}, " + plain(family)),
                "meta": {"family": family},
            }
        )
    for line in info.lines:
        if line.mark:
            traces.append(
                {
                    "type": "scatter",
                    "mode": "lines+markers" if len(line.epochs) == 1 else "lines",
                    "x": list(line.epochs),
                    "y": list(line.values),
                    "line": _style(line),
                    "marker": {"size": 8},
                    "hovertemplate": _template(f"trial {line.number}, {line.mark}"),
                }
            )
    return traces


def _style(line: Line) -> dict[str, Any]:
    """Return how the curve of a marked trial is drawn."""
    if SHIPS in line.mark:
        return {"color": ACCENT, "width": 2.5}
    return {"color": INK, "width": 2.5, "dash": "6px,3px"}


def _template(name: str) -> str:
    """Return the hover label of a curve."""
    return f"<b>{name}</b><br>epoch %{{x}}: %{{y:.4g}}<extra></extra>"


def _layout(info: CurvesInfo) -> dict[str, Any]:
    """Return the axes."""
    return layout(
        x=axis("Epoch", rangemode="tozero", nticks=8),
        y=metric_axis(info.metric, info.words, range=[info.y.low, info.y.high]),
    )
