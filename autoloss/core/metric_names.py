"""The names of metrics and their properties, without torch."""

from __future__ import annotations

from collections.abc import Mapping

from autoloss.core.errors import InputError, closest

OF_TWO_CLASSES = {
    "average_precision": "",
    "auroc": "roc_auc_ovr",
    "f1": "f1_macro",
    "precision": "precision_macro",
    "recall": "recall_macro",
    "jaccard": "jaccard_macro",
}
"""Metrics of the positive class, each with its replacement for more than two classes."""
LOWER_IS_BETTER = ("error", "balanced_error", "log_loss", "brier", "expected_cost")
WITHOUT_DECISIONS = (
    "auroc", "average_precision", "log_loss", "brier", "roc_auc_ovr", "roc_auc_ovo",
    "roc_auc_ovr_weighted", "roc_auc_ovo_weighted",
)  # fmt: skip
"""Metrics of rankings or probabilities, which need no decisions."""
BALANCED = ("balanced_error", "balanced_accuracy")
"""Metrics whose decision is the class with the highest probability relative to its share."""
_AVERAGED = tuple(
    f"{name}_{average}"
    for name in ("f1", "precision", "recall", "jaccard")
    for average in ("macro", "micro", "weighted")
)
NAMES = (
    "error", "accuracy", "balanced_error", "balanced_accuracy", "log_loss", "brier",
    "average_precision", "auroc", "roc_auc_ovr", "roc_auc_ovr_weighted", "roc_auc_ovo",
    "roc_auc_ovo_weighted", "f1", "precision", "recall", "jaccard", *_AVERAGED, "mcc",
    "cohen_kappa", "expected_cost",
)  # fmt: skip
"""All known metrics."""
ALIASES: Mapping[str, str] = {
    "roc_auc": "auroc",
    "neg_log_loss": "log_loss",
    "brier_score": "brier",
    "neg_brier_score": "brier",
    "matthews_corrcoef": "mcc",
}
"""Other names of metrics: scikit-learn's scorers."""


def canonical(name: str) -> str:
    """Return the canonical name of a metric.

    Raises:
        InputError: If there is no such metric; the message has the closest known name.

    Examples:
        >>> canonical("roc_auc"), canonical("accuracy")
        ('auroc', 'accuracy')
    """
    found = ALIASES.get(name, name)
    if found not in NAMES:
        hint = closest(name, (*NAMES, *ALIASES))
        raise InputError(f"A metric must be known, but got metric={name!r}{hint}")
    return found
