"""What written losses have in the place of some functions of ours, which serve speed or stacks."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from autoloss.losses.context import LossContext


def rescaled(inputs: Tensor, context: LossContext) -> Tensor:
    """Return a softmax's inputs as the prior and the temperature scale them."""
    return inputs * context.scale  # type: ignore[operator]


def shifted(inputs: Tensor, context: LossContext) -> Tensor:
    """Return a softmax's inputs as the prior shifts them."""
    return inputs + context.shift  # type: ignore[operator]


def rescaled_and_shifted(inputs: Tensor, context: LossContext) -> Tensor:
    """Return a softmax's inputs as the prior and the temperature scale and shift them."""
    return inputs * context.scale + context.shift  # type: ignore[operator]


def pushed_posterior(
    every: Callable[[Tensor], Tensor], cost: Callable[[Tensor], Tensor], scores: Tensor
) -> Tensor:
    """Return the log posterior at which the slopes of a loss and of a penalty cancel.

    Args:
        every: Maps log-probabilities to the loss under every label.
        cost: Maps scores to the penalty.
        scores: What the softmax reads.

    Shape:
        ``(..., C)`` → ``(..., C)``.
    """
    with torch.enable_grad():
        log_p = scores.detach().log_softmax(-1).requires_grad_()
        (slope,) = torch.autograd.grad(every(log_p).sum(), log_p)
        at = scores.detach().clone().requires_grad_()
        (push,) = torch.autograd.grad(cost(at).sum(), at)
    p, phi = log_p.detach().exp(), (-slope).clamp_min(torch.finfo(slope.dtype).tiny)
    # The loss's slope on logit k is S p_k - η_k φ_k with S = sum η φ, and the η sum to 1.
    total = (1.0 - (push / phi).sum(-1, keepdim=True)) / (p / phi).sum(-1, keepdim=True)
    probs = ((total * p + push) / phi).nan_to_num(nan=1e-12).clamp_min(1e-12)
    return (probs / probs.sum(-1, keepdim=True)).log()
