"""Metrics of K candidates at once: decisions, costs, proper scores, rankings, calibration.

Floor 2. Imports from floor 1, and from losses and readout. `autoloss.metrics.declared` has the
declarations; `autoloss.metrics.known` finds them without torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

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
    from autoloss.metrics.judged import Judged, MetricFunction
    from autoloss.metrics.proper import brier, log_loss
    from autoloss.metrics.ranking import auroc, average_precision
    from autoloss.metrics.reliability_bins import positive_reliability, reliability
    from autoloss.metrics.resolve import METRIC_NAMES, Metric, resolve_metric
    from autoloss.metrics.scores import Scores, always_of, score, score_with
    from autoloss.metrics.smooth import smooth_ece

# Names are loaded when first used, because the declarations are read without torch. No function
# has the name of a module of this folder: the module would take its place.
_HOMES = {
    "EXPECTED_COST": "costs",
    "Judged": "judged",
    "METRIC_NAMES": "resolve",
    "Metric": "resolve",
    "MetricFunction": "judged",
    "Scores": "scores",
    "always_of": "scores",
    "auroc": "ranking",
    "average_precision": "ranking",
    "balanced_error": "decisions",
    "balanced_scores": "decisions",
    "brier": "proper",
    "confidence_ece": "calibration",
    "cost_decisions": "costs",
    "debiased_calibration_error": "calibration",
    "ece_null": "calibration",
    "error": "decisions",
    "example_costs": "costs",
    "expected_cost": "costs",
    "label_decisions": "costs",
    "label_thresholds": "costs",
    "log_loss": "proper",
    "positive_reliability": "reliability_bins",
    "reliability": "reliability_bins",
    "resolve_metric": "resolve",
    "score": "scores",
    "score_with": "scores",
    "smooth_ece": "smooth",
    "tails": "doubtful_rows",
    "top_label": "calibration",
}

__all__ = [
    "EXPECTED_COST",
    "METRIC_NAMES",
    "Judged",
    "Metric",
    "MetricFunction",
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
    "reliability",
    "resolve_metric",
    "score",
    "score_with",
    "smooth_ece",
    "tails",
    "top_label",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
