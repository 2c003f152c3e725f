"""Metrics of a ranking: areas under curves. Tied scores count together, as in scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class _Ranked:
    """Examples in falling order of their score, each field (K, N).

    Args:
        is_positive: Whether each is of class 1.
        first: Place of the first example with the same score.
        last: Place of the last example with the same score.
    """

    is_positive: Tensor
    first: Tensor
    last: Tensor


def auroc(scores: Tensor, targets: Tensor) -> Tensor:
    """Return the area under the ROC curve, in [0, 1]; higher is better.

    This is the probability that a positive example scores above a negative example, where a tie
    counts half; NaN if a class is absent.

    Args:
        scores: Score of class 1, any monotone transform of its probability.
        targets: Classes 0 and 1.

    Shape:
        scores (K, N), targets (N,), result (K,).

    Examples:
        >>> auroc(torch.tensor([[0.1, 0.4, 0.35, 0.8]]), torch.tensor([0, 0, 1, 1])).item()
        0.75
    """
    ranked = _ranked(scores, targets)
    positives = targets.sum().double()
    negatives = len(targets) - positives
    # The mean rank of examples with the same score; the lowest score has rank 1.
    rank = len(targets) - (ranked.first + ranked.last) / 2
    total = (rank * ranked.is_positive).sum(-1)
    area = (total - positives * (positives + 1) / 2) / (positives * negatives)
    return torch.where(torch.isnan(scores).any(-1), torch.nan, area)


def average_precision(scores: Tensor, targets: Tensor) -> Tensor:
    """Return the average precision of class 1, in [0, 1]; higher is better.

    This is the mean over the positive examples of the precision among all examples that score at
    least as high; NaN if there is no positive example.

    Args:
        scores: Score of class 1, any monotone transform of its probability.
        targets: Classes 0 and 1.

    Shape:
        scores (K, N), targets (N,), result (K,).

    Examples:
        >>> scores = torch.tensor([[0.1, 0.4, 0.35, 0.8]])
        >>> round(average_precision(scores, torch.tensor([0, 0, 1, 1])).item(), 4)
        0.8333
    """
    ranked = _ranked(scores, targets)
    found = ranked.is_positive.cumsum(-1).gather(-1, ranked.last)
    precision = found / (ranked.last + 1)
    mean = (precision * ranked.is_positive).sum(-1) / targets.sum()
    return torch.where(torch.isnan(scores).any(-1), torch.nan, mean)


def area_of_classes(
    probs: NDArray[Any], classes: NDArray[Any], *, pairs: bool, weighted: bool
) -> float:
    """Return the mean area under the ROC curves of several classes, in [0, 1]; higher is better.

    Args:
        probs: Probabilities.
        classes: The true classes; the area is NaN where a class has no row.
        pairs: Whether each class is set against each other class, not against all others.
        weighted: Whether a class, or a pair, counts by its rows.

    Shape:
        probs (N, C), classes (N,).
    """
    rows = [np.flatnonzero(classes == c) for c in range(probs.shape[1])]
    counts = np.array([len(own) for own in rows])
    if not counts.all():
        return float("nan")
    if pairs:
        members = list(combinations(range(len(rows)), 2))
        areas = [
            (
                _area(probs[rows[a], a], probs[rows[b], a])
                + _area(probs[rows[b], b], probs[rows[a], b])
            )
            / 2
            for a, b in members
        ]
        counts = counts[members].sum(-1)
    else:
        areas = [_area(probs[own, c], np.delete(probs[:, c], own)) for c, own in enumerate(rows)]
    return float(np.average(areas, weights=counts if weighted else None))


def _area(positive: NDArray[Any], negative: NDArray[Any]) -> float:
    """Return the share of pairs in which the positive score is the higher; a tie counts half."""
    positive, negative = np.sort(positive), np.sort(negative)
    below = negative.searchsorted(positive, "left") + negative.searchsorted(positive, "right")
    return float(below.sum()) / (2 * len(positive) * len(negative))


def _ranked(scores: Tensor, targets: Tensor) -> _Ranked:
    """Sort each row and find the runs of equal scores."""
    ordered, order = scores.sort(dim=-1, descending=True, stable=True)
    n = scores.shape[-1]
    place = torch.arange(n, device=scores.device).expand_as(order)
    is_same = ordered[:, 1:] == ordered[:, :-1]
    same_as_before = torch.nn.functional.pad(is_same, (1, 0), value=False)
    same_as_after = torch.nn.functional.pad(is_same, (0, 1), value=False)
    first = torch.where(same_as_before, 0, place).cummax(-1).values
    last = torch.where(same_as_after, n - 1, place).flip(-1).cummin(-1).values.flip(-1)
    return _Ranked(is_positive=targets[order].double(), first=first, last=last)
