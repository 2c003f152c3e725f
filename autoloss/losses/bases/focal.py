"""Focal loss."""

from __future__ import annotations

import torch
from torch import Tensor

from autoloss.losses.declare import declare
from autoloss.losses.loss import Special
from autoloss.losses.numerics import log_miss_probs, log_softmax, miss_probs
from autoloss.losses.parameters import FloatParam, Interval


def focal_link(logits: Tensor, *, gamma: Tensor) -> Tensor:
    """Return the log posterior, ``p / φ(p)`` normalised.

    ``φ(p) = (1-p)^γ - γ p (1-p)^(γ-1) log p`` is the gradient in units of cross-entropy's.
    """
    log_p = log_softmax(logits)
    log_miss = log_miss_probs(log_p)
    tiny = torch.finfo(log_p.dtype).tiny
    miss = log_miss.exp().clamp(tiny, 0.5)
    # -p log p / (1 - p), which tends to 1 as p does.
    ratio = torch.where(
        log_miss.exp() < 0.5, -torch.log1p(-miss) / miss, -log_p / miss_probs(log_p)
    )
    log_phi = gamma * log_miss + torch.log1p(gamma * ratio * log_p.exp())
    return log_softmax(log_p - log_phi)


@declare(
    source="Lin et al. 2017, Focal Loss for Dense Object Detection, arXiv:1708.02002, eq. 4",
    family="focusing",
    use="Many easy examples, or a network that is too confident.",
    link=focal_link,
    local=True,
    special=(Special(at={"gamma": 0.0}, equals="cross_entropy"),),
    gamma=FloatParam(0.0, 5.0, default=2.0, valid=Interval(0.0, float("inf"))),
)
def focal(log_p: Tensor, *, gamma: Tensor) -> Tensor:
    """Cross-entropy weighted by ``(1 - p) ** gamma``, p of the true class, in nats per example.

    ``L = -(1 - p)^γ log p``. It is classification-calibrated but not proper: at the minimum,
    ``softmax(logits)`` is less confident than the posterior, which has a closed form
    (Charoenphakdee et al. 2021, CVPR).

    Args:
        log_p: Log-probability of the true class.
        gamma: Power that fades out learnt examples, at least 0 (no effect).

    Shape:
        ``(K, B)``, ``(K, 1)`` → ``(K, B)``.

    Examples:
        >>> focal(torch.tensor([[2.0, 1.0, 0.1]]), torch.tensor([0]), gamma=2.0)
        tensor([0.0485])
    """
    return -(miss_probs(log_p) ** gamma) * log_p
