"""The smallest difference that the rows of a verdict can show, in the study's metric."""

from __future__ import annotations

import math

from autoloss.metrics.known import is_of_error
from autoloss.records import Plan, Summary
from autoloss.report.rows import is_nested, rows_name
from autoloss.report.words import metric_in_sentence, points_text

# The level at which one of three tests alone is significant by Holm's rule, and that of intervals.
_ONE_OF_THREE, _INTERVAL = 0.05 / 3.0, 0.05


def smallest_detectable(summary: Summary) -> tuple[str, float]:
    """Return a metric and the smallest difference in it that the rows could have shown.

    It is the study's metric where that was compared, by the width of its interval at the level of
    one test of three, else the error; NaN if unknown.
    """
    verdict, metric = summary.verdict, summary.metric
    if is_of_error(metric):
        return metric, verdict.detectable
    compared = [one for one in verdict.comparisons if one.metric == metric]
    if not compared or not math.isfinite(compared[0].high - compared[0].low):
        return "error", verdict.detectable
    half = (compared[0].high - compared[0].low) / 2.0
    return (metric, half * _wider(summary)) if half > 0.0 else ("error", verdict.detectable)


def power_short(summary: Summary) -> str:
    """Return the smallest detectable difference in a few words, or an empty string if unknown."""
    metric, value = smallest_detectable(summary)
    return _least(metric, value) if math.isfinite(value) else ""


def power_text(summary: Summary) -> str:
    """Return the smallest detectable difference in a sentence, or an empty string if unknown."""
    short = power_short(summary)
    if not short:
        return ""
    rows = f"{summary.verdict.n_test:,} {rows_name(summary)}"
    own = next((one for one in summary.own_metrics if one.name == summary.metric), None)
    if own is not None and (own.of == "model" or not own.independent):
        rows = "paired training runs"
    return f"{short}: the {rows} could not show a smaller difference."


def power_before(plan: Plan, *, where: str) -> str:
    """Return the expected smallest detectable difference, before anything is trained.

    Args:
        plan: The plan.
        where: The rows that the verdict is reached on.
    """
    metric = plan.metric if is_of_error(plan.metric) else "error"
    text = f"{_least(metric, plan.detectable)} on the {where}"
    if metric == plan.metric:
        return text
    return f"{text}; in {metric_in_sentence(plan.metric)} it is known once models are trained"


def _least(metric: str, value: float) -> str:
    return f"{points_text(metric, value)} in {metric_in_sentence(metric)}"


def _wider(summary: Summary) -> float:
    """Return how much wider an interval is at the level of one test of three."""
    from scipy import stats

    outer = summary.resampling.outer if summary.resampling and is_nested(summary) else 0
    freedom = outer - 1 if outer > 1 else math.inf
    return float(stats.t.isf(_ONE_OF_THREE / 2, freedom) / stats.t.isf(_INTERVAL / 2, freedom))
