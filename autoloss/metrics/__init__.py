"""Metrics of K candidates at once: decisions, costs, proper scores, rankings, calibration.

Names are loaded when they are first used, because declarations are read without torch.

Floor 2. Imports from floor 1, and from losses and readout. `autoloss.metrics.declared` has the
declarations; `autoloss.metrics.known` finds them without torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoloss.core.lazy import make_lazy

if TYPE_CHECKING:
    from autoloss.metrics.calibration import (
        confidence_ece,
        debiased_calibration_error,
        ece_null,
        top_label,
    )
    from autoloss.metrics.costs import (
        EXPECTED_COST,
        cost_decisions,
        example_costs,
        expected_cost,
        label_decisions,
        label_thresholds,
    )
    from autoloss.metrics.decisions import balanced_error, balanced_scores, error
    from autoloss.metrics.doubtful_rows import tails
    from autoloss.metrics.given import Metrics, OwnMetrics, recall_metrics, take_metrics
    from autoloss.metrics.judged import Judged, MetricFunction
    from autoloss.metrics.proper import brier, log_loss
    from autoloss.metrics.ranking import auroc, average_precision
    from autoloss.metrics.reliability_bins import positive_reliability, reliability
    from autoloss.metrics.resolve import METRIC_NAMES, Metric, resolve_metric
    from autoloss.metrics.scores import Scores, always_of, score, score_with
    from autoloss.metrics.smooth import smooth_ece


__all__ = [
    "EXPECTED_COST",
    "METRIC_NAMES",
    "Judged",
    "Metric",
    "MetricFunction",
    "Metrics",
    "OwnMetrics",
    "Scores",
    "always_of",
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
    "recall_metrics",
    "reliability",
    "resolve_metric",
    "score",
    "score_with",
    "smooth_ece",
    "tails",
    "take_metrics",
    "top_label",
]

make_lazy(__name__)
