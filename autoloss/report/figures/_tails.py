"""Calibration of rare positives: a reliability diagram whose axes are log-odds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from autoloss.records import Summary
from autoloss.report.beside import fine_share
from autoloss.report.figures._base import PageFigure
from autoloss.report.figures._draw import MUTED, area, axis, diagonal, hover, layout
from autoloss.report.figures._reliability import Bin, bin_points, reliability_info
from autoloss.report.roles import positive_quoted
from autoloss.report.rows import rows_name

_TICKS = (1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999)


@dataclass(frozen=True)
class TailsInfo:
    """The data of the diagram: the bins, and the log-odds at both ends of its axes."""

    bins: tuple[Bin, ...]
    low: float
    high: float

    def place(self, share: float) -> float:
        """Return the position of a share: its log-odds, held within the diagram."""
        return min(max(log_odds(share), self.low), self.high)

    @property
    def outside(self) -> int:
        """Return the number of bins outside their band."""
        return sum(one.is_outside for one in self.bins)


def log_odds(share: float) -> float:
    """Return the log-odds of a share; infinite at 0 and at 1."""
    if share <= 0.0:
        return -math.inf
    return math.inf if share >= 1.0 else math.log(share) - math.log1p(-share)


def tails_info(summary: Summary) -> TailsInfo:
    """Return the data of the diagram; no bins where positives are not rare."""
    if summary.tails is None:
        return TailsInfo((), 0.0, 0.0)
    bins = reliability_info(summary.tails.bins).bins
    places = [
        value
        for one in bins
        for share in (one.confidence, one.accuracy, one.high)
        if math.isfinite(value := log_odds(share))
    ]
    return TailsInfo(bins, min(places, default=-1.0) - 0.6, max(places, default=1.0) + 0.4)


def tails_figure(summary: Summary) -> PageFigure | None:
    """Return the diagram, or None if there is nothing to show."""
    info = tails_info(summary)
    if not info.bins:
        return None
    found = f"{info.outside} of {len(info.bins)} groups lie outside the band"
    rows = sum(one.count for one in info.bins)
    name = positive_quoted(summary)
    none_found = any(one.accuracy <= 0.0 for one in info.bins)
    return PageFigure(
        id="tails",
        group="tails",
        title=f"Probability of {name}, in log-odds",
        caption=(
            f"{found}; {rows:,} {rows_name(summary)}. Both axes are log-odds."
            + (f" A triangle at the bottom: no {name} in that group." if none_found else "")
        ),
        alt=f"Reliability diagram of {name} in log-odds: {found}.",
        height=420,
        spec={"data": _traces(info), "layout": _layout(info, name)},
    )


def _traces(info: TailsInfo) -> list[dict[str, Any]]:
    """Return the band, the diagonal, the groups and their rows."""
    x, y, low, high = (
        [info.place(share) for share in shares]
        for shares in zip(*map(_shares, info.bins), strict=True)
    )
    groups = bin_points(info.bins, x, y, size=10, label=_hover)
    symbols = groups["marker"]["symbol"]
    for place, one in enumerate(info.bins):
        if one.accuracy <= 0.0:
            symbols[place] = "triangle-down"
    return [
        area(x, low, high),
        diagonal(info.low, info.high),
        # A triangle stands on the lower edge and would be cut in half.
        {**groups, "cliponaxis": False},
        {
            "type": "bar",
            "x": x,
            "y": [one.count for one in info.bins],
            "width": 0.012 * (info.high - info.low),
            "marker": {"color": MUTED},
            "yaxis": "y2",
        },
    ]


def _shares(one: Bin) -> tuple[float, float, float, float]:
    return one.confidence, one.accuracy, one.low, one.high


def _hover(one: Bin) -> str:
    """Return the label of one group."""
    return hover(
        f"{one.count:,} rows",
        f"Said {fine_share(one.confidence)}, was {fine_share(one.accuracy)}",
        f"If calibrated: {fine_share(one.low)} to {fine_share(one.high)}",
    )


def _layout(info: TailsInfo, name: str) -> dict[str, Any]:
    """Return log-odds axes that are read as percentages, the rows' axis below."""
    shown = [share for share in _TICKS if info.low <= log_odds(share) <= info.high]
    odds = {
        "range": [info.low, info.high],
        "tickvals": [log_odds(share) for share in shown],
        "ticktext": [f"{100 * share:g}%" for share in shown],
    }
    return layout(
        x=axis(f"Stated probability of {name}", anchor="y2", **odds),
        y=axis(f"Share of {name}", domain=[0.26, 1], **odds),
        # Most rows lie in the lowest groups: their number is read by its size.
        yaxis2=axis(
            "Rows",
            type="log",
            range=[0, _log_top(info)],
            tickformat="~s",
            domain=[0, 0.16],
        ),
    )


def _log_top(info: TailsInfo) -> float:
    """Return the upper end of the rows' axis, which begins at one row."""
    return 1.05 * math.log10(max([10, *(one.count for one in info.bins)]))
