"""The mean area under the ROC curves of several classes, as in scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

FloatArray = NDArray[np.float64]


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
