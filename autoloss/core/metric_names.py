"""The names of metrics and what they say of themselves, without torch."""

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
"""Metrics of the positive class, each with the one that takes its place for more classes."""
LOWER_IS_BETTER = ("error", "balanced_error", "log_loss", "brier", "expected_cost")
WITHOUT_DECISIONS = (
    "auroc", "average_precision", "log_loss", "brier", "roc_auc_ovr", "roc_auc_ovo",
    "roc_auc_ovr_weighted", "roc_auc_ovo_weighted",
)  # fmt: skip
"""Metrics that rank, or judge probabilities: no decision enters them."""
BALANCED = ("balanced_error", "balanced_accuracy")
"""Metrics for which a class is decided for by its probability over its share of the rows."""
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
"""All metrics that are known by name."""
ALIASES: Mapping[str, str] = {
    "roc_auc": "auroc",
    "neg_log_loss": "log_loss",
    "brier_score": "brier",
    "neg_brier_score": "brier",
    "matthews_corrcoef": "mcc",
}
"""Other names: those of scikit-learn's scorers."""


def canonical(name: str) -> str:
    """Return the name of a metric by that name or another of it.

    Raises:
        InputError: If there is no such metric; the message has the closest one.

    Examples:
        >>> canonical("roc_auc"), canonical("accuracy")
        ('auroc', 'accuracy')
    """
    found = ALIASES.get(name, name)
    if found not in NAMES:
        hint = closest(name, (*NAMES, *ALIASES))
        raise InputError(f"A metric must be known, but got metric={name!r}{hint}")
    return found
