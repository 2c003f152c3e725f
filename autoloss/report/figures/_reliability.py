"""Reliability diagrams: are probabilities kept? With the band that chance alone would give."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from autoloss.records import Reliability, Summary
from autoloss.report.figures._base import ACCENT, INK, MUTED, PAGE, Figure, axis, hover, layout
from autoloss.report.rows import rows_name


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
        """Return whether the accuracy lies outside the band."""
        return not self.low <= self.accuracy <= self.high


@dataclass(frozen=True)
class ReliabilityInfo:
    """What one diagram shows: whose predictions, and the bins that have rows."""

    name: str
    bins: tuple[Bin, ...]

    @property
    def outside(self) -> int:
        """Return how many bins lie outside their band."""
        return sum(one.is_outside for one in self.bins)


def reliability_info(diagram: Reliability) -> ReliabilityInfo:
    """Return what one diagram shows; bins without rows are left out."""
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
    return ReliabilityInfo(diagram.name, tuple(sorted(bins, key=lambda one: one.confidence)))


def reliability_figures(summary: Summary) -> tuple[Figure, ...]:
    """Return one diagram for each set of predictions, all on the same scale."""
    infos = [info for one in summary.reliability if (info := reliability_info(one)).bins]
    lows = [
        value for info in infos for b in info.bins for value in (b.confidence, b.accuracy, b.low)
    ]
    start = math.floor(10 * min(lows, default=0.0) - 1e-9) / 10
    rows = rows_name(summary)
    return tuple(_figure(info, place, max(0.0, start), rows) for place, info in enumerate(infos))


def _figure(info: ReliabilityInfo, place: int, start: float, name: str) -> Figure:
    """Return one diagram; `name` is what its rows are called."""
    rows = sum(one.count for one in info.bins)
    found = f"{info.outside} of {len(info.bins)} bins lie outside the band"
    return Figure(
        id=f"reliability-{place}",
        group="reliability",
        title=info.name[:1].upper() + info.name[1:],
        caption=f"{found}; {rows:,} {name}.",
        alt=f"Reliability diagram of {info.name}: {found}.",
        height=380,
        spec={
            "data": [*_band(info, start), _points(info), _bars(info)],
            "layout": _layout(start),
        },
    )


def _band(info: ReliabilityInfo, start: float) -> list[dict[str, Any]]:
    """Return the band as an area, and the diagonal."""
    forth = [one.confidence for one in info.bins]
    band = {
        "type": "scatter",
        "mode": "lines",
        "x": forth + forth[::-1],
        "y": [one.high for one in info.bins] + [one.low for one in reversed(info.bins)],
        "fill": "toself",
        "fillcolor": "var(--band)",
        # Seen even where a single bin leaves no area.
        "line": {"color": "var(--band)", "width": 2},
        "hoverinfo": "skip",
    }
    diagonal = {
        "type": "scatter",
        "mode": "lines",
        "x": [start, 1],
        "y": [start, 1],
        "line": {"color": MUTED, "width": 1, "dash": "dot"},
        "hoverinfo": "skip",
    }
    return [band, diagonal]


def _points(info: ReliabilityInfo) -> dict[str, Any]:
    """Return the bins, those outside their band in the accent colour and with a cross."""
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "x": [one.confidence for one in info.bins],
        "y": [one.accuracy for one in info.bins],
        "line": {"color": INK, "width": 1.2},
        "marker": {
            "size": 9,
            "color": [ACCENT if one.is_outside else INK for one in info.bins],
            "symbol": ["x" if one.is_outside else "circle" for one in info.bins],
            "line": {"color": PAGE, "width": 1},
        },
        "hovertext": [
            hover(
                f"{one.count:,} rows",
                f"Said {100 * one.confidence:.1f}%, was right {100 * one.accuracy:.1f}%",
                f"If calibrated: {100 * one.low:.1f}% to {100 * one.high:.1f}%",
            )
            for one in info.bins
        ],
        "hoverinfo": "text",
    }


def _bars(info: ReliabilityInfo) -> dict[str, Any]:
    """Return the share of rows in each bin, as stems below the diagram."""
    rows = sum(one.count for one in info.bins)
    return {
        "type": "bar",
        "x": [one.confidence for one in info.bins],
        "y": [one.count / rows for one in info.bins],
        "width": 0.012,
        "marker": {"color": MUTED},
        "hoverinfo": "skip",
        "yaxis": "y2",
    }


def _layout(start: float) -> dict[str, Any]:
    """Return equal axes above, the rows' axis below."""
    ends = [start - 0.02 * (1 - start), 1 + 0.02 * (1 - start)]
    return layout(
        x=axis("Stated confidence", range=ends, tickformat=".0%", nticks=6, anchor="y2"),
        y=axis("Share correct", range=ends, tickformat=".0%", nticks=6, domain=[0.24, 1]),
        yaxis2=axis(
            "Rows",
            tickformat=".0%",
            nticks=3,
            domain=[0, 0.15],
            rangemode="tozero",
            fixedrange=True,
        ),
    )
