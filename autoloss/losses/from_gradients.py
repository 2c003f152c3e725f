"""Read-outs derived from the slopes of a loss, for losses without a formula."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import torch
from torch import Tensor

from autoloss.losses.numerics import log_softmax

MOST_CLASSES = 100
"""The most classes for which a posterior is read from the matrix of slopes, with C² numbers."""
# The least probability of a posterior. Rounding, or logits that no posterior makes optimal, may
# give a negative number.
FLOOR = 1e-12


def by_gradient(*args: Any, **kwargs: Any) -> NoReturn:
    """Mark a loss whose read-out is derived from its slopes, as ``link=by_gradient``."""
    raise TypeError("by_gradient must be given as link=by_gradient, but was called.")


def local_log_posterior(function: Callable[[Tensor], Tensor], logits: Tensor) -> Tensor:
    """Return the log posterior of a local loss, which depends on the true class alone.

    Its gradient on the logits is ``φ(p_y) (p - u)`` with ``φ(p) = -dL / d log p``. At the minimum
    of the expectation the posterior is ``p_k / φ(p_k)``, normalised. It is computed in float64,
    because φ may be as small as p.

    Args:
        function: The loss of ``log p`` of every class.
        logits: Raw scores.

    Shape:
        ``(..., C)`` → ``(..., C)``.
    """
    log_p = log_softmax(logits.detach().double())
    return log_softmax(log_p - _weights(function, log_p).log()).to(logits.dtype)


def _weights(function: Callable[[Tensor], Tensor], log_p: Tensor) -> Tensor:
    """Return ``φ = -dL / d log p`` for a loss of ``log p``, above 0."""
    with torch.enable_grad():
        at = log_p.clone().requires_grad_()
        (slope,) = torch.autograd.grad(function(at).sum(), at)
    return (-slope).clamp_min(torch.finfo(slope.dtype).tiny)


def pushed_log_posterior(
    function: Callable[[Tensor], Tensor], cost: Callable[[Tensor], Tensor], logits: Tensor
) -> Tensor:
    """Return the log posterior at which the slopes of a local loss and of a penalty cancel.

    Args:
        function: Maps log-probabilities to the loss under every label.
        cost: Maps logits to the penalty, which does not depend on the label.
        logits: Raw scores.

    Shape:
        ``(..., C)`` → ``(..., C)``.
    """
    log_p = log_softmax(logits.detach().double())
    phi = _weights(function, log_p)
    with torch.enable_grad():
        at = logits.detach().double().requires_grad_()
        (push,) = torch.autograd.grad(cost(at).sum(), at)
    # The slope of the loss on logit k is S p_k - η_k φ_k with S = sum η φ, and the η sum to 1.
    total = (1.0 - (push / phi).sum(-1, keepdim=True)) / (log_p.exp() / phi).sum(-1, keepdim=True)
    probs = ((total * log_p.exp() + push) / phi).nan_to_num(nan=FLOOR).clamp_min(FLOOR)
    return (probs / probs.sum(-1, keepdim=True)).log().to(logits.dtype)


def log_posterior(every: Callable[[Tensor], Tensor], logits: Tensor) -> Tensor:
    """Return the log posterior of any smooth loss: the left null vector of its slopes.

    Args:
        every: Maps logits to the loss under every label, ``(..., C)`` to ``(..., C)``.
        logits: Raw scores, of at most about 100 classes.

    Shape:
        ``(..., C)`` → ``(..., C)``.
    """
    probs, _, _ = left_null(slopes(every, logits.detach().double()))
    probs = probs.nan_to_num(nan=FLOOR).clamp_min(FLOOR)
    return (probs / probs.sum(-1, keepdim=True)).log().to(logits.dtype)


def slopes(every: Callable[[Tensor], Tensor], logits: Tensor) -> Tensor:
    """Return the slope of the loss under each label on each logit, ``(..., C, C)``."""
    with torch.enable_grad():
        at = logits.detach().clone().requires_grad_()
        # A sum for each label suffices, because examples are independent.
        totals = every(at).movedim(-1, 0).flatten(1).sum(1)
        rows = [
            torch.autograd.grad(total, at, retain_graph=True, materialize_grads=True)[0]
            for total in totals
        ]
    return torch.stack(rows, -2)


def left_null(by_label: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the left null vector of matrices, normalised to sum 1, and its certainty.

    Args:
        by_label: Slopes, with a row for each label.

    Returns:
        The vector; the slope that remains at it, and the slope in the next direction, both as a
        share of the largest.

    Shape:
        ``(..., C, C)`` → ``(..., C)``, ``(...)``, ``(...)``.
    """
    left, found, _ = torch.linalg.svd(by_label)
    vector = left[..., -1]
    largest = found[..., 0].clamp_min(torch.finfo(found.dtype).tiny)
    probs = vector / vector.sum(-1, keepdim=True)
    return probs, found[..., -1] / largest, found[..., -2] / largest
