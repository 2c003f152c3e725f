"""Metrics of a ranking of two classes; tied scores are taken together, as in scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class _Ranked:
    """Examples in falling order of their score, shapes (K, N).

    Args:
        is_positive: Whether each is of class 1.
        first: Place of the first example with the same score.
        last: Place of the last one.
    """

    is_positive: Tensor
    first: Tensor
    last: Tensor


def auroc(scores: Tensor, targets: Tensor) -> Tensor:
    """Return the area under the ROC curve, in [0, 1]; higher is better.

    The probability that a positive example scores above a negative one, ties counting half; NaN
    where a class is absent.

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
    # Mean rank from below, from 1, of examples with the same score.
    rank = len(targets) - (ranked.first + ranked.last) / 2
    total = (rank * ranked.is_positive).sum(-1)
    area = (total - positives * (positives + 1) / 2) / (positives * negatives)
    return torch.where(torch.isnan(scores).any(-1), torch.nan, area)


def average_precision(scores: Tensor, targets: Tensor) -> Tensor:
    """Return the average precision of class 1, in [0, 1]; higher is better.

    The mean over positive examples of the precision among all that score at least as high; NaN
    where there is none.

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
