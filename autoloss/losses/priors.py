"""Class weights and logit adjustment, for all candidates at once; finite for empty classes."""

from __future__ import annotations

import torch
from torch import Tensor

from autoloss.errors import InputError


def check_class_counts(class_counts: Tensor) -> Tensor:
    """Return class counts in float64.

    Args:
        class_counts: Training rows of each class, ``(C,)`` or, one row a candidate, ``(K, C)``.

    Raises:
        InputError: If they are no counts of two or more classes.
    """
    counts = class_counts.detach().to(device="cpu", dtype=torch.float64)
    fits = counts.ndim in (1, 2) and counts.shape[-1] >= 2
    if not fits or not bool((counts >= 0).all()) or not bool((counts.sum(-1) > 0).all()):
        raise InputError(
            "class_counts must be the rows of two or more classes, some of them above 0, "
            f"but got class_counts={class_counts.tolist()}."
        )
    return counts


def _without_zeros(counts: Tensor) -> Tensor:
    """Return counts in which an empty class has one row, or the least count below 1."""
    least = counts.masked_fill(counts == 0, 1.0).amin(-1, keepdim=True).clamp_max(1.0)
    return torch.where(counts == 0, least, counts)


def log_class_weights(class_counts: Tensor, power: Tensor) -> Tensor:
    """Return the logarithm of class weights proportional to ``n_c ** -power``.

    They are scaled so that ``sum_c π_c w_c = 1``, π being the shares of the training rows: the
    mean weight of an example is 1, and the gradient keeps its scale. `power` 1 gives
    scikit-learn's ``"balanced"`` weights.

    Args:
        class_counts: Training rows of each class.
        power: 0 for no weights.

    Shape:
        ``class_counts (C,) or (K, C)``, ``power (K, 1)`` → ``(K, C)``.

    Examples:
        >>> log_class_weights(torch.tensor([90.0, 10.0]), torch.ones(1, 1)).exp()
        tensor([[0.5556, 5.0000]])
    """
    log_weights = -power * _without_zeros(class_counts).log()
    log_shares = (class_counts / class_counts.sum(-1, keepdim=True)).log()
    scaled = log_weights - (log_shares + log_weights).logsumexp(-1, keepdim=True)
    return scaled.masked_fill(power == 0, 0.0)


def logit_adjustment(class_counts: Tensor, tau: Tensor) -> Tensor:
    """Return what logit adjustment adds to the logits in training, ``tau * log π_c``.

    Args:
        class_counts: Training rows of each class.
        tau: 0 for no adjustment.

    Shape:
        ``class_counts (C,) or (K, C)``, ``tau (K, 1)`` → ``(K, C)``.

    Examples:
        >>> logit_adjustment(torch.tensor([90.0, 10.0]), torch.ones(1, 1))
        tensor([[-0.1054, -2.3026]])
    """
    counts = _without_zeros(class_counts)
    return tau * (counts / class_counts.sum(-1, keepdim=True)).log()
