"""Metrics of K candidates at once: decisions, proper scores, rankings, calibration."""

from autoloss.metrics.calibration import (
    confidence_ece,
    debiased_calibration_error,
    ece_null,
    top_label,
)
from autoloss.metrics.decisions import balanced_error, balanced_scores, error
from autoloss.metrics.proper import brier, log_loss
from autoloss.metrics.ranking import auroc, average_precision
from autoloss.metrics.reliability import reliability
from autoloss.metrics.resolve import METRIC_NAMES, Metric, MetricFunction, resolve_metric
from autoloss.metrics.score import Scores, score, score_with
from autoloss.metrics.smooth import smooth_ece

__all__ = [
    "METRIC_NAMES",
    "Metric",
    "MetricFunction",
    "Scores",
    "auroc",
    "average_precision",
    "balanced_error",
    "balanced_scores",
    "brier",
    "confidence_ece",
    "debiased_calibration_error",
    "ece_null",
    "error",
    "log_loss",
    "reliability",
    "resolve_metric",
    "score",
    "score_with",
    "smooth_ece",
    "top_label",
]
