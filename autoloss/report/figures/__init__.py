"""The figures of a report, each as plain data first and then as a drawing."""

from __future__ import annotations

from autoloss.records import Summary
from autoloss.report.figures._base import Focus, PageFigure, focus
from autoloss.report.figures._costs import costs_figure
from autoloss.report.figures._curves import CurvesInfo, curves_figures, curves_info
from autoloss.report.figures._finalists import (
    FinalistsInfo,
    finalists_figure,
    finalists_info,
)
from autoloss.report.figures._gains import GainsInfo, gains_figures, gains_info
from autoloss.report.figures._importance import (
    ImportanceInfo,
    importance_figure,
    importance_info,
)
from autoloss.report.figures._labels import labels_figure
from autoloss.report.figures._ood import strangers_figures
from autoloss.report.figures._ranking import ranking_figures
from autoloss.report.figures._reliability import (
    ReliabilityInfo,
    positive_figures,
    reliability_figures,
    reliability_info,
    worst_label_figures,
)
from autoloss.report.figures._rule import rule_figure, rule_info
from autoloss.report.figures._signals import SignalsInfo, signals_figure, signals_info
from autoloss.report.figures._strips import StripsInfo, strips_figures, strips_info
from autoloss.report.figures._tags import tags_figures
from autoloss.report.figures._tails import TailsInfo, tails_figure, tails_info
from autoloss.report.figures._threshold import threshold_figure
from autoloss.report.figures._tradeoff import TradeoffInfo, tradeoff_figure, tradeoff_info

# The sections of a report that have figures.
GROUPS = (
    "gains",
    "finalists",
    "tradeoff",
    "families",
    "reliability",
    "positive",
    "labels",
    "worst_labels",
    "tags",
    "tails",
    "ranking",
    "threshold",
    "costs",
    "strangers",
    "signals",
    "curves",
    "importance",
)

__all__ = [
    "GROUPS",
    "CurvesInfo",
    "FinalistsInfo",
    "Focus",
    "GainsInfo",
    "ImportanceInfo",
    "PageFigure",
    "ReliabilityInfo",
    "SignalsInfo",
    "StripsInfo",
    "TailsInfo",
    "TradeoffInfo",
    "all_figures",
    "curves_info",
    "finalists_info",
    "focus",
    "gains_info",
    "importance_info",
    "reliability_info",
    "rule_info",
    "signals_info",
    "strips_info",
    "tails_info",
    "tradeoff_info",
]


def all_figures(summary: Summary) -> tuple[PageFigure, ...]:
    """Return every figure that the summary has the data for, in the order of the page."""
    single = (
        finalists_figure(summary),
        tradeoff_figure(summary),
        rule_figure(summary),
        tails_figure(summary),
        threshold_figure(summary),
        costs_figure(summary),
        signals_figure(summary),
        importance_figure(summary),
        labels_figure(summary),
    )
    return (
        *gains_figures(summary),
        *(figure for figure in single if figure is not None),
        *strips_figures(summary),
        *reliability_figures(summary),
        *positive_figures(summary),
        *ranking_figures(summary),
        *worst_label_figures(summary),
        *tags_figures(summary),
        *strangers_figures(summary),
        *curves_figures(summary),
    )
