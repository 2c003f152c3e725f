"""Label smoothing, in the loss and undone in the read-out."""

from __future__ import annotations

import torch
from torch import Tensor

# Where a smoothed network goes below epsilon / C, the probability would come out negative.
FLOOR = 1e-7


def smooth(probs: Tensor, epsilon: Tensor) -> Tensor:
    """Return ``(1 - epsilon) * probs + epsilon / C``, torch's convention.

    Args:
        probs: Class probabilities.
        epsilon: Share of the label that is spread evenly.

    Shape:
        ``probs (K, B, C)``, ``epsilon (K, 1, 1)`` → ``(K, B, C)``.
    """
    return (1.0 - epsilon) * probs + epsilon / probs.shape[-1]


def smoothed_values(
    every: Tensor, targets: Tensor, epsilon: Tensor, weights: Tensor | None
) -> Tensor:
    """Return the loss under smoothed labels, from its values under every label.

    ``(1 - ε) w_y L(z, y) + ε / C sum_k w_k L(z, k)``, which needs no label probabilities.

    Args:
        every: The loss under every label.
        targets: Classes.
        epsilon: Share of the label that is spread evenly.
        weights: Class weights, None where all are 1.

    Shape:
        ``every (K, B, C)``, ``targets (K, B)``, ``epsilon (K, 1)``, ``weights (K, 1, C)`` → ``(K,
        B)``.
    """
    weighted = every if weights is None else every * weights
    at_label = weighted.gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    return (1.0 - epsilon) * at_label + epsilon * weighted.mean(-1)


def unsmooth(log_probs: Tensor, epsilon: Tensor) -> Tensor:
    """Return the log posterior whose smoothed form is given, ``(p - ε / C) / (1 - ε)`` clipped.

    Args:
        log_probs: Log-probabilities of a network trained on smoothed labels.
        epsilon: Share of the label that was spread evenly; where it is 0 nothing changes.

    Shape:
        ``log_probs (K, N, C)``, ``epsilon (K, 1, 1)`` → ``(K, N, C)``.
    """
    probs = (log_probs.exp() - epsilon / log_probs.shape[-1]) / (1.0 - epsilon)
    clipped = probs.clamp_min(FLOOR)
    clipped = clipped / clipped.sum(-1, keepdim=True)
    return torch.where(epsilon == 0, log_probs, clipped.log())
