"""Differences and verdicts in plain words."""

from __future__ import annotations

from collections.abc import Sequence

from autoloss.records import Comparison
from autoloss.report.words import capital, interval_text, label_words, points_text
from autoloss.search.comparisons import CALIBRATION, PairedTest
from autoloss.search.significance import decide

NO_EVIDENCE = "no evidence that it beats tuned cross-entropy"
_SHIPS = "Tuned cross-entropy is recommended."
_WORDS = {
    "log_loss": "log loss",
    "brier": "Brier score",
    CALIBRATION: "calibration error",
    "auroc": "AUROC",
}


def verdict_text(
    challenger: str, first: Comparison, shown: Sequence[PairedTest], *, where: str
) -> str:
    """Return a verdict, the difference in the first metric before anything.

    Args:
        challenger: The challenger's loss in short; empty where it is cross-entropy itself. The
            text names it in words, without its parameters.
        first: The comparison in the study's metric.
        shown: The tests that show a difference.
        where: On which rows, such as ``"on 200 test rows"``.
    """
    if not challenger:
        return f"No loss but cross-entropy ended with a model, so there is {NO_EVIDENCE}. {_SHIPS}"
    than = f"{difference_words(first)} than tuned cross-entropy {where}"
    name = capital(label_words(challenger))
    difference = f"{name} has {than} ({interval_words(first)})"
    gains = _listed([one for one in shown if one.is_gain])
    losses = _listed([one for one in shown if not one.is_gain])
    decision = decide(shown)
    if decision == "better":
        return f"{difference}: it beats tuned cross-entropy, significantly in {gains}."
    if decision == "worse":
        worse = f"it is worse than tuned cross-entropy, significantly in {losses}"
        return f"{difference}: {worse}. {_SHIPS}"
    if gains:
        both = f"significantly better in {gains}, but significantly worse in {losses}"
        return f"{difference}: {NO_EVIDENCE} ({both}). {_SHIPS}"
    reason = (
        "interval covers zero" if first.covers_zero else "not significant among the tests made"
    )
    return f"{difference}: {NO_EVIDENCE} ({reason}). {_SHIPS}"


def difference_words(one: Comparison) -> str:
    """Return a difference without its interval, such as ``0.30 pp less error``."""
    words = metric_words(one.metric)
    amount = points_text(one.metric, one.difference)
    if amount == points_text(one.metric, 0.0):
        return f"neither less nor more {words}"
    side = "less" if one.difference < 0.0 else "more"
    return f"{amount} {side} {words}"


def interval_words(one: Comparison) -> str:
    """Return the interval of a difference, such as ``95% interval −0.50 to +0.10 pp``."""
    return f"95% interval {interval_text(one.metric, one.low, one.high)}"


def metric_words(metric: str) -> str:
    """Return a metric's name as it stands in a sentence."""
    return _WORDS.get(metric, metric.replace("_", " "))


def _listed(some: Sequence[PairedTest]) -> str:
    *others, last = [metric_words(one.comparison.metric) for one in some] or [""]
    return f"{', '.join(others)} and {last}" if others else last
