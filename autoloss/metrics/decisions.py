"""Metrics of decisions: error and balanced error."""

from __future__ import annotations

import torch
from torch import Tensor


def error(scores: Tensor, targets: Tensor) -> Tensor:
    """Return the share of wrong decisions for the largest score, in [0, 1]; lower is better.

    Args:
        scores: Logits, log probabilities or probabilities.
        targets: Classes 0 .. C-1.

    Shape:
        scores (K, N, C), targets (N,), result (K,).

    Examples:
        >>> scores = torch.tensor([[[2.0, 1.0], [0.0, 1.0]]])
        >>> error(scores, torch.tensor([0, 0]))
        tensor([0.5000], dtype=torch.float64)
    """
    is_wrong = scores.argmax(-1) != targets
    rate = is_wrong.double().mean(-1)
    return torch.where(torch.isnan(scores).any(-1).any(-1), torch.nan, rate)


def balanced_scores(log_probs: Tensor, class_counts: Tensor) -> Tensor:
    """Return scores whose largest is the decision with the least balanced error.

    A score is the logarithm of the probability divided by the class prior, and minus infinity for
    a class without a row.

    Args:
        log_probs: Log probabilities.
        class_counts: Training rows of each class, shared or for each candidate.

    Shape:
        log_probs (..., N, C), class_counts (C,) or (..., C), result (..., N, C).

    Examples:
        >>> log_probs = torch.tensor([[0.7, 0.3]]).log()
        >>> balanced_scores(log_probs, torch.tensor([80, 20])).argmax(-1)
        tensor([1])
    """
    counts = class_counts.to(log_probs).unsqueeze(-2)
    prior = torch.log(counts / counts.sum(-1, keepdim=True))
    return torch.where(counts > 0, log_probs - prior, -torch.inf)


def balanced_error(
    log_probs: Tensor, targets: Tensor, *, class_counts: Tensor | None = None
) -> Tensor:
    """Return the mean over the classes of the share of missed examples; lower is better.

    The decision is the largest probability or, with class counts, the largest quotient of
    probability and class prior, which has the least balanced error if the probabilities are right.
    The value is 1 - scikit-learn's `balanced_accuracy_score` of that decision: classes without an
    example do not count.

    Args:
        log_probs: Log probabilities.
        targets: Classes 0 .. C-1.
        class_counts: Training rows of each class, shared or for each candidate; no decision is
            for a class without a row.

    Shape:
        log_probs (K, N, C), targets (N,), class_counts (C,) or (K, C), result (K,).

    Examples:
        >>> log_probs = torch.tensor([[[0.9, 0.1], [0.7, 0.3]]]).log()
        >>> targets = torch.tensor([0, 1])
        >>> balanced_error(log_probs, targets).item()
        0.5
        >>> balanced_error(log_probs, targets, class_counts=torch.tensor([80, 20])).item()
        0.0
    """
    scores = log_probs if class_counts is None else balanced_scores(log_probs, class_counts)
    is_wrong = (scores.argmax(-1) != targets).double()
    member = torch.nn.functional.one_hot(targets, log_probs.shape[-1]).double()
    count = member.sum(0)
    missed = (is_wrong @ member)[:, count > 0] / count[count > 0]
    return torch.where(torch.isnan(log_probs).any(-1).any(-1), torch.nan, missed.mean(-1))
