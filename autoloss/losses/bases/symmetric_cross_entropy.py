"""Symmetric cross-entropy."""

from __future__ import annotations

import math

from torch import Tensor

from autoloss.losses.bases.poly1 import poly1, poly1_link
from autoloss.losses.declare import declare
from autoloss.losses.loss import Special
from autoloss.losses.parameters import FloatParam, Interval

COST_OF_ZERO = -math.log(1e-4)
"""A, the number in place of ``-log 0`` in reverse cross-entropy, 9.2103."""


def symmetric_cross_entropy_link(logits: Tensor, *, alpha: Tensor, beta: Tensor) -> Tensor:
    """Return the log posterior, ``p / (α + A β p)`` normalised."""
    return poly1_link(logits, epsilon=COST_OF_ZERO * beta / alpha)


@declare(
    source="Wang et al. 2019, Symmetric Cross Entropy for Robust Learning with Noisy Labels, "
    "ICCV, arXiv:1908.06112",
    family="robust",
    use="Wrong labels, with the settings of its paper; poly1 is the same loss with one parameter.",
    link=symmetric_cross_entropy_link,
    local=True,
    same_as="poly1",
    special=(
        Special(at={"alpha": 1.0, "beta": 0.0}, equals="cross_entropy"),
        Special(
            at={"alpha": 0.1, "beta": 1.0},
            equals="poly1",
            using={"epsilon": COST_OF_ZERO / 0.1},
            times=0.1,
        ),
    ),
    alpha=FloatParam(
        0.01, 10.0, default=0.1, log=True, valid=Interval(0.0, float("inf"), open_low=True)
    ),
    beta=FloatParam(0.1, 10.0, default=1.0, log=True, valid=Interval(0.0, float("inf"))),
)
def symmetric_cross_entropy(log_p: Tensor, *, alpha: Tensor, beta: Tensor) -> Tensor:
    """Cross-entropy plus reverse cross-entropy of label and prediction, per example.

    ``L = -α log p + β A (1 - p)``, where ``A = -log 1e-4`` stands for ``-log 0``: α times `poly1`
    at ``ε = A β / α``.

    Args:
        log_p: Log-probability of the true class.
        alpha: Weight of cross-entropy, above 0, which learns fast.
        beta: Weight of reverse cross-entropy, at least 0, which is robust to wrong labels.

    Shape:
        ``(K, B)``, ``(K, 1)``, ``(K, 1)`` → ``(K, B)``.

    Examples:
        >>> import torch
        >>> logits, targets = torch.tensor([[2.0, 1.0, 0.1]]), torch.tensor([0])
        >>> symmetric_cross_entropy(logits, targets, alpha=0.1, beta=1.0)
        tensor([3.1824])
    """
    return alpha * poly1.function(log_p, epsilon=COST_OF_ZERO * beta / alpha)
