"""Metrics of K candidates at once: decisions, costs, proper scores, rankings, calibration.

Floor 2. Imports from floor 1, and from losses and readout.
"""

from autoloss.metrics.calibration import (
    confidence_ece,
    debiased_calibration_error,
    ece_null,
    top_label,
)
from autoloss.metrics.costs import (
    EXPECTED_COST,
    ExpectedCost,
    cost_decisions,
    example_costs,
    expected_cost,
    label_decisions,
    label_thresholds,
)
from autoloss.metrics.decisions import balanced_error, balanced_scores, error
from autoloss.metrics.proper import brier, log_loss
from autoloss.metrics.ranking import auroc, average_precision
from autoloss.metrics.reliability import positive_reliability, reliability
from autoloss.metrics.resolve import METRIC_NAMES, Metric, MetricFunction, resolve_metric
from autoloss.metrics.score import Scores, score, score_with
from autoloss.metrics.smooth import smooth_ece
from autoloss.metrics.tails import tails

__all__ = [
    "EXPECTED_COST",
    "METRIC_NAMES",
    "ExpectedCost",
    "Metric",
    "MetricFunction",
    "Scores",
    "auroc",
    "average_precision",
    "balanced_error",
    "balanced_scores",
    "brier",
    "confidence_ece",
    "cost_decisions",
    "debiased_calibration_error",
    "ece_null",
    "error",
    "example_costs",
    "expected_cost",
    "label_decisions",
    "label_thresholds",
    "log_loss",
    "positive_reliability",
    "reliability",
    "resolve_metric",
    "score",
    "score_with",
    "smooth_ece",
    "tails",
    "top_label",
]
