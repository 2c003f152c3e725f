"""Proper scores: log loss and Brier score."""

from __future__ import annotations

import torch
from torch import Tensor


def log_loss(log_probs: Tensor, targets: Tensor) -> Tensor:
    """Return the mean negative log probability of the true class in nats; lower is better.

    Args:
        log_probs: Log probabilities.
        targets: Classes 0 .. C-1.

    Shape:
        log_probs (K, N, C), targets (N,), result (K,).

    Examples:
        >>> log_loss(torch.tensor([[[0.8, 0.2]]]).log(), torch.tensor([0])).round(decimals=6)
        tensor([0.2231], dtype=torch.float64)
    """
    index = targets.expand(len(log_probs), -1).unsqueeze(-1)
    return -log_probs.gather(-1, index).squeeze(-1).mean(-1, dtype=torch.float64)


def brier(log_probs: Tensor, targets: Tensor) -> Tensor:
    """Return the mean squared error of the probabilities, summed over classes; lower is better.

    ``sum_c (p_c - [c = y]) ** 2``, in [0, 2]: for two classes twice scikit-learn's default.

    Args:
        log_probs: Log probabilities.
        targets: Classes 0 .. C-1.

    Shape:
        log_probs (K, N, C), targets (N,), result (K,).

    Examples:
        >>> brier(torch.tensor([[[0.8, 0.1, 0.1]]]).log(), torch.tensor([0])).round(decimals=6)
        tensor([0.0600], dtype=torch.float64)
    """
    probs = log_probs.exp()
    index = targets.expand(len(probs), -1).unsqueeze(-1)
    of_target = probs.gather(-1, index).squeeze(-1)
    return (probs.square().sum(-1) - 2 * of_target + 1).mean(-1, dtype=torch.float64)
