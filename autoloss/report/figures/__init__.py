"""The figures of a report: for each, first what it shows as plain data, then how it is drawn."""

from __future__ import annotations

from autoloss.records import Summary
from autoloss.report.figures._base import Figure, Focus, focus
from autoloss.report.figures._curves import CurvesInfo, curves_figures, curves_info
from autoloss.report.figures._importance import (
    ImportanceInfo,
    importance_figure,
    importance_info,
)
from autoloss.report.figures._reliability import (
    ReliabilityInfo,
    reliability_figures,
    reliability_info,
)
from autoloss.report.figures._strips import StripsInfo, strips_figures, strips_info
from autoloss.report.figures._tradeoff import TradeoffInfo, tradeoff_figure, tradeoff_info

# The sections of a report that have figures.
GROUPS = ("tradeoff", "families", "reliability", "curves", "importance")

__all__ = [
    "GROUPS",
    "CurvesInfo",
    "Figure",
    "Focus",
    "ImportanceInfo",
    "ReliabilityInfo",
    "StripsInfo",
    "TradeoffInfo",
    "all_figures",
    "curves_info",
    "focus",
    "importance_info",
    "reliability_info",
    "strips_info",
    "tradeoff_info",
]


def all_figures(summary: Summary) -> tuple[Figure, ...]:
    """Return every figure that the summary has the data for, in the order of the page."""
    single = (tradeoff_figure(summary), importance_figure(summary))
    return (
        *(figure for figure in single if figure is not None),
        *strips_figures(summary),
        *reliability_figures(summary),
        *curves_figures(summary),
    )
