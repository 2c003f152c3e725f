"""Large-margin softmax."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from autoloss.core.task import CLASSES_ALONE
from autoloss.losses.bases._margin import cross_entropy_with_margin
from autoloss.losses.context import LossContext, tilted
from autoloss.losses.declare import declare
from autoloss.losses.labels import pick
from autoloss.losses.loss import Special
from autoloss.losses.parameters import IntParam


def psi(cosine: Tensor, m: Tensor) -> Tensor:
    """Return ``(-1)^k cos(m t) - 2 k`` from ``cos(t)``; k is the whole part of ``m t / pi``.

    It falls from 1 to ``1 - 2 m`` over ``t`` from 0 to pi, smoothly, and is at most ``cos(t)``.
    """
    square = cosine.square()
    # The Chebyshev polynomials of degree 1 to 4 need no angle, and have no infinite slope.
    multiple = torch.where(
        m < 2.5,
        torch.where(m < 1.5, cosine, 2.0 * square - 1.0),
        torch.where(m < 3.5, cosine * (4.0 * square - 3.0), 8.0 * square * (square - 1.0) + 1.0),
    )
    k = torch.zeros_like(cosine)
    for j in (1, 2, 3):
        k = k + ((m > j) & (cosine < torch.cos(math.pi * j / m)))
    return (1 - 2 * (k % 2)) * multiple - 2 * k


def as_they_are(logits: Tensor, *, m: Tensor, context: LossContext | None) -> Tensor:
    """Return the inputs of the softmax: the logits with the scale and shift of a prior."""
    return tilted(logits, context)


@declare(
    source="Liu et al. 2016, Large-Margin Softmax Loss for Convolutional Neural Networks, ICML, "
    "arXiv:1612.02295",
    family="margin",
    masked=True,
    use="Wide angles between the classes, when there is time for a long training.",
    tasks=CLASSES_ALONE,
    head="unbiased",
    view=as_they_are,
    needs=("norms",),
    special=(Special(at={"m": 1}, equals="cross_entropy"),),
    m=IntParam(1, 4, default=2),
)
def l_softmax(logits: Tensor, targets: Tensor, *, m: Tensor, context: LossContext) -> Tensor:
    """Cross-entropy with the true angle multiplied by m, in nats per example.

    ``L = -log(e^(n_y psi(t_y)) / (e^(n_y psi(t_y)) + sum_{j != y} e^(z_j)))``, where ``z_j = n_j
    cos(t_j)`` is the logit, ``n_j`` the norm of the features times that of the class's weights,
    and ``psi(t) = (-1)^k cos(m t) - 2 k`` for t from ``k pi / m`` to ``(k + 1) pi / m``.

    Training starts slowly, the more so for a larger m: psi is flat in the angle at every ``k pi /
    m``, for an even m also at a right angle, and new weights are nearly at right angles to the
    features. The paper mixes in the plain logit at first, which is left out here. The margin grows
    with the norms, and no posterior can be read.

    Args:
        logits: Raw scores without bias.
        targets: Labels.
        m: Factor of the angle, a whole number, at least 1.
        context: Has the norms, and the scale and shift of a prior. If a norm is below its logit,
            which no head gives, the angle is 0 or pi.

    Shape:
        ``(K, B, C)``, ``(K, B)``, ``(K, 1)``, norms ``(K, B, C)`` → ``(K, B)``.

    Examples:
        >>> context = LossContext(norms=torch.tensor([[4.0, 4.0, 4.0]]))
        >>> logits, targets = torch.tensor([[2.0, 1.0, 0.1]]), torch.tensor([0])
        >>> l_softmax(logits, targets, m=2, context=context)
        tensor([3.3759])
    """
    assert context.norms is not None
    norm = pick(context.norms.to(logits).expand(logits.shape), targets)
    # The slope of the quotient has the square of this bound, which is still above 0.
    bound = torch.finfo(logits.dtype).tiny ** 0.5
    cosine = (pick(logits, targets) / norm.clamp_min(bound)).clamp(-1.0, 1.0)
    margin = norm * (cosine - psi(cosine, m))
    return cross_entropy_with_margin(tilted(logits, context), targets, margin)
