"""Reliability diagrams, with the band of a perfectly calibrated model."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from autoloss.records import Reliability, Summary
from autoloss.report.figures._base import PageFigure
from autoloss.report.figures._draw import (
    ACCENT,
    INK,
    MUTED,
    PAGE,
    area,
    axis,
    counts_axis,
    diagonal,
    dotted_points,
    hover,
    layout,
    pen,
    points,
)
from autoloss.report.roles import model_title, positive_quoted
from autoloss.report.rows import rows_name
from autoloss.report.words import in_sentence, share_text, short


@dataclass(frozen=True)
class Bin:
    """A bin of the confidence: its means, its rows, and the band if the model were calibrated."""

    confidence: float
    accuracy: float
    count: int
    low: float
    high: float

    @property
    def is_outside(self) -> bool:
        """Return whether the accuracy is outside the band."""
        return not self.low <= self.accuracy <= self.high


@dataclass(frozen=True)
class ReliabilityInfo:
    """The data of a diagram: the model, the bins that have rows, rows by confidence."""

    name: str
    bins: tuple[Bin, ...]
    histogram: tuple[int, ...] = ()

    @property
    def outside(self) -> int:
        """Return the number of bins outside their band."""
        return sum(one.is_outside for one in self.bins)


@dataclass(frozen=True)
class _Manner:
    """The words and the start of diagrams of the confidence or of a class's probability."""

    group: str
    said: str
    was: str
    start: float
    rows: str
    titled: Callable[[str], str] = model_title


def reliability_info(diagram: Reliability) -> ReliabilityInfo:
    """Return the data of a diagram; bins without rows are left out."""
    columns = zip(
        diagram.confidence,
        diagram.accuracy,
        diagram.count,
        diagram.low,
        diagram.high,
        strict=False,
    )
    bins = [
        Bin(*values) for values in columns if values[2] > 0 and all(map(math.isfinite, values))
    ]
    ordered = tuple(sorted(bins, key=lambda one: one.confidence))
    return ReliabilityInfo(diagram.name, ordered, diagram.histogram)


def reliability_figures(summary: Summary) -> tuple[PageFigure, ...]:
    """Return one diagram for each set of predictions, all on the same scale."""
    infos = [info for one in summary.reliability if (info := reliability_info(one)).bins]
    lows = [
        value for info in infos for b in info.bins for value in (b.confidence, b.accuracy, b.low)
    ]
    start = max(0.0, math.floor(10 * min(lows, default=0.0) - 1e-9) / 10)
    manner = _Manner(
        "reliability", "Stated confidence", "Share correct", start, rows_name(summary)
    )
    return tuple(_figure(info, place, manner) for place, info in enumerate(infos))


def positive_figures(summary: Summary) -> tuple[PageFigure, ...]:
    """Return one diagram of the positive class's probability for each model."""
    infos = [info for one in summary.positive_reliability if (info := reliability_info(one)).bins]
    name = positive_quoted(summary)
    manner = _Manner(
        "positive", f"Stated probability of {name}", f"Share of {name}", 0.0, rows_name(summary)
    )
    return tuple(_figure(info, place, manner) for place, info in enumerate(infos))


def worst_label_figures(summary: Summary) -> tuple[PageFigure, ...]:
    """Return the diagrams of the labels with the largest calibration errors."""
    worst = () if summary.labels is None else summary.labels.worst
    infos = [info for one in worst if (info := reliability_info(one)).bins]
    manner = _Manner(
        "worst_labels",
        "Stated probability",
        "Share with the label",
        0.0,
        rows_name(summary),
        titled=short,
    )
    return tuple(_figure(info, place, manner) for place, info in enumerate(infos))


def _figure(info: ReliabilityInfo, place: int, manner: _Manner) -> PageFigure:
    """Return one diagram."""
    rows = sum(one.count for one in info.bins)
    found = f"{info.outside} of {len(info.bins)} groups lie outside the band"
    bars = [_bars(info)] if info.histogram else []
    title = manner.titled(info.name)
    return PageFigure(
        id=f"{manner.group}-{place}",
        group=manner.group,
        title=title,
        caption=f"{found}; {rows:,} {manner.rows}.",
        alt=f"Reliability diagram of {in_sentence(title)}, {manner.said.lower()}: {found}.",
        height=380 if bars else 330,
        spec={
            "data": [*_traces(info, manner), *bars],
            "layout": _layout(manner, has_bars=bool(bars)),
        },
    )


def bin_points(
    bins: Sequence[Bin],
    x: Sequence[float],
    y: Sequence[float],
    *,
    size: int,
    label: Callable[[Bin], str],
) -> dict[str, Any]:
    """Return the bins at their places, with crosses for bins outside their band."""
    return dotted_points(
        points(
            x,
            y,
            hovers=[label(one) for one in bins],
            size=size,
            color=[ACCENT if one.is_outside else INK for one in bins],
            symbol=["x" if one.is_outside else "circle" for one in bins],
            line={"color": PAGE, "width": 1},
        ),
        pen(INK, 1.2),
    )


def _traces(info: ReliabilityInfo, manner: _Manner) -> list[dict[str, Any]]:
    """Return the band, the diagonal and the bins."""

    def label(one: Bin) -> str:
        return hover(
            f"{one.count:,} rows",
            f"{manner.said} {share_text(one.confidence)}",
            f"{manner.was} {share_text(one.accuracy)}",
            f"If calibrated: {share_text(one.low)} to {share_text(one.high)}",
        )

    bins = info.bins
    x, y = [one.confidence for one in bins], [one.accuracy for one in bins]
    return [
        area(x, [one.low for one in bins], [one.high for one in bins]),
        diagonal(manner.start, 1),
        bin_points(bins, x, y, size=9, label=label),
    ]


def _bars(info: ReliabilityInfo) -> dict[str, Any]:
    """Return the share of rows by confidence, in bars of equal width below the diagram."""
    rows, count = max(sum(info.histogram), 1), len(info.histogram)
    shares = [one / rows for one in info.histogram]
    return {
        "type": "bar",
        "x": [(place + 0.5) / count for place in range(count)],
        "y": shares,
        "width": 0.9 / count,
        "marker": {"color": MUTED},
        "yaxis": "y2",
    }


def _layout(manner: _Manner, *, has_bars: bool) -> dict[str, Any]:
    """Return equal axes, and below them the rows' axis where there are bars."""
    air = 0.02 * (1 - manner.start)
    ends = [manner.start - air, 1 + air]
    level = {"range": ends, "tickformat": ".0%", "nticks": 6}
    if not has_bars:
        return layout(x=axis(manner.said, **level), y=axis(manner.was, **level))
    return layout(
        x=axis(manner.said, **level, anchor="y2"),
        y=axis(manner.was, **level, domain=[0.24, 1]),
        yaxis2=counts_axis(0.15),
    )
