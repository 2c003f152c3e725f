"""Metrics by the names of scikit-learn's scorers, as functions of probabilities and classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

FloatArray = NDArray[np.float64]
Average = Literal["binary", "macro", "micro", "weighted"]


@dataclass(frozen=True)
class OfDecisions:
    """A metric of the likeliest classes; in [0, 1], or from -1 for `mcc`; higher is better.

    Args:
        name: ``"accuracy"``, ``"f1"``, ``"precision"``, ``"recall"``, ``"jaccard"``, ``"mcc"`` or
            ``"cohen_kappa"``.
        average: How the classes come together, as in scikit-learn: class 1 alone, the mean over
            the classes, all rows at once, or the mean weighted by the rows of each class.

    Shape:
        probs (N, C), classes (N,).

    Examples:
        >>> probs = np.array([[0.9, 0.1], [0.4, 0.6], [0.3, 0.7]])
        >>> round(OfDecisions("f1")(probs, np.array([0, 0, 1])), 4)
        0.6667
    """

    name: str
    average: Average = "binary"

    def __call__(self, probs: NDArray[Any], classes: NDArray[Any]) -> float:
        """Return the metric."""
        n = probs.shape[1]
        pairs = np.bincount(np.asarray(classes) * n + probs.argmax(1), minlength=n * n)
        table = pairs.reshape(n, n).astype(np.float64)
        if self.name == "accuracy":
            return float(np.trace(table) / table.sum())
        if self.name == "mcc":
            return _mcc(table)
        if self.name == "cohen_kappa":
            return _kappa(table)
        return self._of_classes(table)

    def _of_classes(self, table: FloatArray) -> float:
        """Return F1, precision, recall or Jaccard from the confusion matrix (true, decided)."""
        hits, true, decided = np.diag(table), table.sum(1), table.sum(0)
        known = (true > 0) | (decided > 0)
        hits, true, decided = hits[known], true[known], decided[known]
        if self.average == "binary":
            hits, true, decided = (np.array([one]) for one in _of_second(table))
        elif self.average == "micro":
            hits, true, decided = (one.sum(keepdims=True) for one in (hits, true, decided))
        above, below = {
            "f1": (2.0 * hits, true + decided),
            "precision": (hits, decided),
            "recall": (hits, true),
            "jaccard": (hits, true + decided - hits),
        }[self.name]
        # A class that is never decided for has a precision of 0, as in scikit-learn.
        values = np.divide(above, below, out=np.zeros_like(above), where=below > 0)
        if self.average == "weighted":
            return float((values * true).sum() / true.sum())
        return float(values.mean())


@dataclass(frozen=True)
class AreaOfClasses:
    """The mean area under the ROC curves of the classes, in [0, 1]; higher is better.

    NaN where a class has no row.

    Args:
        pairs: Whether each class is set against each other one, not against all others.
        weighted: Whether a class, or a pair, counts by its rows.

    Shape:
        probs (N, C), classes (N,).
    """

    pairs: bool = False
    weighted: bool = False

    def __call__(self, probs: NDArray[Any], classes: NDArray[Any]) -> float:
        """Return the area."""
        classes = np.asarray(classes)
        counts = np.bincount(classes, minlength=probs.shape[1]).astype(np.float64)
        if (counts == 0).any():
            return float("nan")
        if self.pairs:
            return self._of_pairs(probs, classes, counts)
        member = classes[:, None] == np.arange(len(counts))
        areas = _areas(probs, member)
        return float(np.average(areas, weights=counts if self.weighted else None))

    def _of_pairs(self, probs: NDArray[Any], classes: NDArray[Any], counts: FloatArray) -> float:
        values, weights = [], []
        for one in range(len(counts)):
            for other in range(one + 1, len(counts)):
                rows = (classes == one) | (classes == other)
                is_one = (classes[rows] == one)[:, None]
                member = np.concatenate([is_one, ~is_one], 1)
                values.append(_areas(probs[rows][:, [one, other]], member).mean())
                weights.append(counts[one] + counts[other])
        return float(np.average(values, weights=weights if self.weighted else None))


def _areas(scores: NDArray[Any], member: NDArray[np.bool_]) -> FloatArray:
    """Return the area under the ROC curve of each column, ties counting half.

    Shape:
        scores (N, M), member (N, M) -> (M,).
    """
    ranks = rankdata(scores, axis=0)
    positives = member.sum(0).astype(np.float64)
    negatives = len(member) - positives
    total = (ranks * member).sum(0)
    areas: FloatArray = (total - positives * (positives + 1) / 2) / (positives * negatives)
    return areas


def _of_second(table: FloatArray) -> tuple[float, float, float]:
    """Return hits, true rows and decided rows of class 1."""
    return float(table[1, 1]), float(table[1].sum()), float(table[:, 1].sum())


def _mcc(table: FloatArray) -> float:
    """Return Matthews' correlation coefficient, 0 where truth or decisions are constant."""
    n, true, decided = table.sum(), table.sum(1), table.sum(0)
    covariance = np.trace(table) * n - true @ decided
    spread = np.sqrt((n**2 - true @ true) * (n**2 - decided @ decided))
    return float(covariance / spread) if spread > 0 else 0.0


def _kappa(table: FloatArray) -> float:
    """Return Cohen's kappa, 0 where truth and decisions are one and the same class throughout."""
    n = table.sum()
    by_chance = float(table.sum(1) @ table.sum(0) / n**2)
    agreed = float(np.trace(table) / n)
    return (agreed - by_chance) / (1.0 - by_chance) if by_chance < 1.0 else 0.0
