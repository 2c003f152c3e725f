"""Read-outs that follow from the slopes of a loss alone, where no formula is written down."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import torch
from torch import Tensor

from autoloss.losses.numerics import log_softmax

MOST_CLASSES = 100
"""Classes up to which a posterior is read from the matrix of slopes, which has C² numbers."""
# What a posterior is raised to where rounding, or logits that no posterior makes optimal, give
# less than nothing.
FLOOR = 1e-12


def by_gradient(*args: Any, **kwargs: Any) -> NoReturn:
    """Stand in the place of a link for ``link=by_gradient``: the read-out that the slopes give."""
    raise TypeError("by_gradient must be given as link=by_gradient, but got called.")


def local_log_posterior(function: Callable[[Tensor], Tensor], logits: Tensor) -> Tensor:
    """Return the log posterior of a loss of the true class's probability alone.

    Its gradient on the logits is ``φ(p_y) (p - u)`` with ``φ(p) = -dL / d log p``, so that at the
    minimum of the expectation ``p_k / φ(p_k)``, normalised, is the posterior.

    Args:
        function: The loss of ``log p`` of every class.
        logits: Raw scores.

    Shape:
        ``(..., C)`` → ``(..., C)``.
    """
    log_p = log_softmax(logits.detach())
    return log_softmax(log_p - _weights(function, log_p).log())


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
    log_p = log_softmax(logits.detach())
    phi = _weights(function, log_p)
    with torch.enable_grad():
        at = logits.detach().clone().requires_grad_()
        (push,) = torch.autograd.grad(cost(at).sum(), at)
    # The loss's slope on logit k is S p_k - η_k φ_k with S = sum η φ, and the η sum to 1.
    total = (1.0 - (push / phi).sum(-1, keepdim=True)) / (log_p.exp() / phi).sum(-1, keepdim=True)
    probs = ((total * log_p.exp() + push) / phi).nan_to_num(nan=FLOOR).clamp_min(FLOOR)
    return (probs / probs.sum(-1, keepdim=True)).log()


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
        # One sum a label: the examples do not see each other.
        totals = every(at).movedim(-1, 0).flatten(1).sum(1)
        rows = [
            torch.autograd.grad(total, at, retain_graph=True, materialize_grads=True)[0]
            for total in totals
        ]
    return torch.stack(rows, -2)


def left_null(by_label: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the left null vector of matrices, normalised to sum 1, and how sure it is.

    Args:
        by_label: Slopes, one row a label.

    Returns:
        The vector; the slope that is left, and the slope left in the next direction, both as a
        share of the largest.

    Shape:
        ``(..., C, C)`` → ``(..., C)``, ``(...)``, ``(...)``.
    """
    left, found, _ = torch.linalg.svd(by_label)
    vector = left[..., -1]
    largest = found[..., 0].clamp_min(torch.finfo(found.dtype).tiny)
    probs = vector / vector.sum(-1, keepdim=True)
    return probs, found[..., -1] / largest, found[..., -2] / largest
