"""The universal read-out: the posterior for which logits are optimal, for any smooth loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from autoloss.losses.from_gradients import left_null


@dataclass(frozen=True)
class NullVector:
    """The posterior at which the expected loss has no slope, and whether there is just one.

    Args:
        probs: The posterior, ``(N, C)``; sums to 1. A negative entry says that no posterior makes
            these logits optimal.
        residual: Slope that is left at `probs`, as a share of the largest slope, ``(N,)``; near 0
            where there is one.
        gap: How far the next direction is from having no slope either, as the same share,
            ``(N,)``. Near 0 the logits fit many posteriors, and none can be read from them.
    """

    probs: Tensor
    residual: Tensor
    gap: Tensor


def null_vector(loss: Callable[[Tensor, Tensor], Tensor], logits: Tensor) -> NullVector:
    """Read the posterior from logits through the gradients of a loss alone.

    At a minimum of the expected loss, ``sum_y η_y ∂L(z, y)/∂z = 0``: the posterior η is the left
    null vector of the matrix of gradients, one row a label, unique where its rank is ``C - 1``. It
    needs no formula for the read-out, and so certifies those that have one, and finds the one of a
    loss that has none. For C up to about 100.

    Args:
        loss: Maps logits and classes to one value per example.
        logits: Raw scores; read in float64.

    Shape:
        ``logits (N, C)`` → ``probs (N, C)``; the loss is called on ``(N * C, C)``, ``(N * C,)``.

    Examples:
        >>> from autoloss.losses import get
        >>> found = null_vector(get("focal"), torch.tensor([[2.1972, 0.0]]))
        >>> found.probs
        tensor([[0.9974, 0.0026]], dtype=torch.float64)
    """
    n, n_classes = logits.shape
    repeated = logits.detach().double().repeat_interleave(n_classes, 0).requires_grad_()
    labels = torch.arange(n_classes, device=logits.device).repeat(n)
    (gradients,) = torch.autograd.grad(loss(repeated, labels).sum(), repeated)
    return NullVector(*left_null(gradients.reshape(n, n_classes, n_classes)))
