"""How metrics are called, how they are written, and which side of them is the good one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from autoloss.records import REFINED_LOG_LOSS

Kind = Literal["share", "nats", "plain"]


@dataclass(frozen=True)
class MetricWords:
    """A metric in words.

    Args:
        title: Name as a reader says it.
        kind: ``"share"`` is shown as a percentage, ``"nats"`` and ``"plain"`` with four decimals.
        lower_is_better: Its direction.
        meaning: One sentence that says what it measures.
    """

    title: str
    kind: Kind
    lower_is_better: bool
    meaning: str = ""


_AVERAGES = {
    "": "of class 1",
    "macro": "the mean over the classes",
    "micro": "over all rows at once",
    "weighted": "the mean over the classes, weighted by their rows",
}


def _named_by_average() -> dict[str, MetricWords]:
    """Return the metrics of scikit-learn that come in several averages."""
    found = {}
    for name, title, meaning in (
        ("f1", "F1", "Harmonic mean of precision and recall"),
        ("precision", "Precision", "Share of the decisions for a class that are correct"),
        ("recall", "Recall", "Share of a class's rows that are decided for it"),
        ("jaccard", "Jaccard index", "Correct decisions for a class over its rows and decisions"),
    ):
        for average, words in _AVERAGES.items():
            key = f"{name}_{average}" if average else name
            suffix = f" ({average})" if average else ""
            found[key] = MetricWords(title + suffix, "plain", False, f"{meaning}, {words}.")
    for pairs, words in (("ovr", "each class against the rest"), ("ovo", "each pair of classes")):
        for weighted in ("", "_weighted"):
            share = ", weighted by rows" if weighted else ""
            title = f"AUROC ({pairs.upper()}{weighted.replace('_', ', ')})"
            meaning = f"Mean area under the ROC curves of {words}{share}."
            found[f"roc_auc_{pairs}{weighted}"] = MetricWords(title, "plain", False, meaning)
    return found


METRICS = {
    "error": MetricWords("Error", "share", True, "Share of wrong decisions."),
    "balanced_error": MetricWords(
        "Balanced error", "share", True, "Mean over the classes of the share of wrong decisions."
    ),
    "raw_error": MetricWords(
        "Error before read-out", "share", True, "Error of the class with the largest logit."
    ),
    REFINED_LOG_LOSS: MetricWords(
        "Log loss after calibration",
        "nats",
        True,
        "Negative log-likelihood in nats of the calibrated probabilities: the objective.",
    ),
    "log_loss": MetricWords(
        "Log loss", "nats", True, "Negative log-likelihood in nats of the probabilities."
    ),
    "raw_log_loss": MetricWords(
        "Log loss before calibration", "nats", True, "Negative log-likelihood of the raw softmax."
    ),
    "calibration_loss": MetricWords(
        "Calibration loss", "nats", True, "Log loss before calibration minus after it."
    ),
    "brier": MetricWords(
        "Brier score", "plain", True, "Squared error of the probabilities, summed over classes."
    ),
    "average_precision": MetricWords(
        "Average precision", "plain", False, "Area under the precision-recall curve."
    ),
    "auroc": MetricWords("AUROC", "plain", False, "Area under the ROC curve."),
    "accuracy": MetricWords("Accuracy", "share", False, "Share of correct decisions."),
    "balanced_accuracy": MetricWords(
        "Balanced accuracy",
        "share",
        False,
        "Mean over the classes of the share of correct decisions.",
    ),
    "mcc": MetricWords(
        "MCC", "plain", False, "Matthews correlation of the decisions with the true classes."
    ),
    "cohen_kappa": MetricWords(
        "Cohen's kappa", "plain", False, "Agreement with the true classes beyond chance."
    ),
    **_named_by_average(),
    "debiased_calibration_error": MetricWords(
        "Debiased calibration error", "plain", True, "Squared calibration error less its bias."
    ),
    "ece": MetricWords(
        "ECE", "plain", True, "Expected calibration error; compare it with its null level."
    ),
    "ece_null": MetricWords(
        "ECE null level", "plain", True, "The ECE of perfectly calibrated probabilities."
    ),
    "smooth_ece": MetricWords("Smooth ECE", "plain", True, "Calibration error without bins."),
    "expected_cost": MetricWords(
        "Expected cost", "plain", True, "Mean cost of the decisions, in units of the cost matrix."
    ),
    "temperature": MetricWords(
        "Temperature", "plain", True, "The divisor of the logits; 1 leaves them unchanged."
    ),
}


def metric_words(name: str, *, lower_is_better: bool = True) -> MetricWords:
    """Return the words for a metric; a user's own metric gets its name and `lower_is_better`."""
    return METRICS.get(name) or MetricWords(
        name.replace("_", " ").strip().capitalize(), "plain", lower_is_better
    )
