"""Dual focal loss."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from autoloss.core.task import CLASSES_ALONE
from autoloss.losses.declare import declare
from autoloss.losses.labels import EVERY, pick
from autoloss.losses.loss import Special
from autoloss.losses.numerics import log_softmax, miss_probs
from autoloss.losses.parameters import FloatParam, Interval


def runner_up(log_probs: Tensor, targets: Tensor) -> Tensor:
    """Return the largest probability strictly below that of the label, or 0 if there is none.

    The gradient goes through that probability, not through the choice of its class; tied classes
    share it. An example costs O(C), and O(C log C) for every label.

    Args:
        log_probs: Log-probabilities.
        targets: Labels, or `EVERY`.

    Shape:
        ``(..., C)``, ``(...)`` → ``(...)``; with `EVERY`: ``(..., 1, C)`` → ``(..., C)``.
    """
    if targets is not EVERY:
        is_below = log_probs < pick(log_probs, targets)[..., None]
        return log_probs.where(is_below, -torch.inf).amax(-1).exp()
    log_probs = log_probs.squeeze(-2)
    ordered, order = log_probs.detach().sort(-1)
    # Ranks from 0 without gaps, equal for ties: the next lower value has the next lower rank.
    steps = functional.pad((ordered.diff(dim=-1) > 0.0).cumsum(-1), (1, 0))
    ranks = torch.empty_like(order).scatter(-1, order, steps)
    probs = log_probs.exp()
    by_rank = torch.zeros_like(probs).scatter_reduce(-1, ranks, probs, "amax", include_self=False)
    below = by_rank.gather(-1, (ranks - 1).clamp_min(0))
    return below.where(ranks > 0, 0.0)


@declare(
    source="Tao, Dong and Xu 2023, Dual Focal Loss for Calibration, ICML, arXiv:2305.13665",
    family="focusing",
    masked=True,
    use="A network that is overconfident with cross-entropy and underconfident with focal loss.",
    tasks=CLASSES_ALONE,
    special=(Special(at={"gamma": 0.0}, equals="cross_entropy"),),
    gamma=FloatParam(0.0, 6.0, default=5.0, valid=Interval(0.0, float("inf"))),
)
def dual_focal(logits: Tensor, targets: Tensor, *, gamma: Tensor) -> Tensor:
    """Focal loss whose weight falls with the lead over the next lower class, in nats per example.

    ``L = -(1 - p_y + p_j)^γ log p_y``, where p_j is the largest probability strictly below p_y, or
    0 if there is none. The loss jumps at ties, so its expectation may be least at a point without
    a slope, and no posterior can be read there.

    Args:
        logits: Raw scores.
        targets: Labels.
        gamma: Power that fades out an example with a lead, at least 0 (no effect).

    Shape:
        ``(K, B, C)``, ``(K, B)``, ``(K, 1)`` → ``(K, B)``.

    Examples:
        >>> dual_focal(torch.tensor([[2.0, 1.0, 0.1]]), torch.tensor([0]), gamma=5.0)
        tensor([0.0282])
    """
    log_probs = log_softmax(logits)
    log_p = pick(log_probs, targets)
    return -((miss_probs(log_p) + runner_up(log_probs, targets)) ** gamma) * log_p
