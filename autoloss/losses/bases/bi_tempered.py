"""The bi-tempered logistic loss."""

from __future__ import annotations

import torch
from torch import Tensor

from autoloss.losses.declare import declare
from autoloss.losses.labels import pick
from autoloss.losses.loss import Special
from autoloss.losses.numerics import divided_expm1, divided_log1p, log_softmax, off_zero, softmax
from autoloss.losses.parameters import FloatParam, Interval


@torch.no_grad()
def _partition(below_top: Tensor, delta: Tensor) -> Tensor:
    """Return the shift that, subtracted from logits, makes their tempered exponentials sum to 1.

    Newton's method solves ``(S^-δ - 1) / δ = 0`` for the sum S. The function is concave and rising
    in the shift, so steps from 0 never pass the root; it is linear for equal logits and for δ = 0.

    Args:
        below_top: Logits minus their maximum.
        delta: ``t2 - 1``, above 0.

    Shape:
        ``below_top (..., C)``, ``delta (..., 1)`` → ``(..., 1)``.
    """
    power = -1.0 / delta
    scaled_logits = delta * below_top
    scaled = torch.zeros_like(below_top[..., :1])
    # With these steps the sum is 1 to 1e-10 for δ <= 3 and 1000 classes, or to float32 rounding.
    for _ in range(9 if below_top.dtype == torch.float64 else 6):
        gap = scaled - scaled_logits
        terms = (power * gap.log1p()).exp()
        total = terms.sum(-1, keepdim=True)
        slope = (terms / (1.0 + gap)).sum(-1, keepdim=True)
        scaled = scaled + total * (delta * total.log()).expm1() / slope
    return scaled / delta


def log_tempered_softmax(logits: Tensor, *, t2: Tensor) -> Tensor:
    """Return the logarithm of the tempered softmax, ``q_k = exp_t2(z_k - λ)`` with sum 1.

    ``exp_t(x) = (1 + (1-t) x)^(1/(1-t))``: the softmax at t = 1, and heavier tails above. The
    gradient is implicit, ``∂λ/∂z_k = q_k^t / sum_j q_j^t``, so that no iteration is stored.

    Args:
        logits: Raw scores.
        t2: Temperature of the tails, at least 1 (the softmax).

    Shape:
        ``logits (..., C)``, ``t2 (..., 1)`` → ``(..., C)``.
    """
    delta = off_zero(t2 - 1.0)
    below_top = logits - logits.detach().amax(-1, keepdim=True)
    fixed = below_top.detach()
    lowered_by = _partition(fixed, delta)
    with torch.no_grad():
        shares = softmax((1.0 + delta) * -divided_log1p(lowered_by - fixed, delta))
    # This adds 0 to the value, and the gradient of λ to the gradient.
    lowered_by = lowered_by + (shares * (below_top - fixed)).sum(-1, keepdim=True)
    return -divided_log1p(lowered_by - below_top, delta)


def bi_tempered_link(logits: Tensor, *, t1: Tensor, t2: Tensor) -> Tensor:
    """Return the log posterior, the tempered softmax at any t1."""
    return log_softmax(log_tempered_softmax(logits, t2=t2))


@declare(
    source="Amid et al. 2019, Robust Bi-Tempered Logistic Loss Based on Bregman Divergences, "
    "NeurIPS, arXiv:1906.03361",
    family="robust",
    masked=True,
    use="Wrong labels, far from the boundary (t1) or near it (t2).",
    link=bi_tempered_link,
    special=(
        Special(at={"t1": 1.0, "t2": 1.0}, equals="cross_entropy"),
        Special(at={"t1": 0.5, "t2": 1.0}, equals="power", using={"beta": 1.5}),
        Special(at={"t1": 0.0, "t2": 1.0}, equals="brier", times=0.5),
    ),
    t1=FloatParam(0.2, 1.0, default=0.8, valid=Interval(0.0, 1.0)),
    t2=FloatParam(1.0, 2.0, default=1.2, valid=Interval(1.0, 4.0)),
)
def bi_tempered(logits: Tensor, targets: Tensor, *, t1: Tensor, t2: Tensor) -> Tensor:
    """Bounded loss (t1 < 1) of a softmax with heavy tails (t2 > 1), robust to wrong labels.

    ``L = -log_t1(q_y) + (sum_k q_k^(2-t1) - 1) / (2 - t1)``, where q is the tempered softmax and
    ``log_t(u) = (u^(1-t) - 1) / (1-t)``. It is strictly proper in q.

    Args:
        logits: Raw scores.
        targets: Labels.
        t1: Temperature of the logarithm, 0 to 1; below 1 the cost of an outlier is bounded.
        t2: Temperature of the exponential, 1 to 4; the higher, the heavier the tails.

    Shape:
        ``(K, B, C)``, ``(K, B)``, ``(K, 1)``, ``(K, 1)`` → ``(K, B)``.

    Examples:
        >>> bi_tempered(torch.tensor([[2.0, 1.0, 0.1]]), torch.tensor([0]), t1=0.8, t2=1.2)
        tensor([0.3472])
    """
    log_q = log_tempered_softmax(logits, t2=t2[..., None])
    spread = ((2.0 - t1)[..., None] * log_q).exp().sum(-1)
    return (spread - 1.0) / (2.0 - t1) - divided_expm1(pick(log_q, targets), 1.0 - t1)
