"""The Jensen-Shannon loss."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from autoloss.losses.declare import declare
from autoloss.losses.numerics import log_miss_probs, log_softmax, miss_probs, off_zero
from autoloss.losses.parameters import FloatParam, Interval


def log_mixture_ratio(log_p: Tensor, log_miss: Tensor, pi1: Tensor) -> Tensor:
    """Return ``log(m / p) = log(1 + π (1 - p) / p)``, even if p or 1 - p rounds to 0."""
    # From 40 on, log(1 + e^x) is x to the last digit of float64; torch stops at 20.
    return functional.softplus(pi1.log() + (log_miss - log_p), threshold=40.0)


def jensen_shannon_link(logits: Tensor, *, pi1: Tensor) -> Tensor:
    """Return the log posterior, ``1 / (1 - log(m / p) / log(1 - π))`` normalised.

    The denominator is minus the slope of the loss in p, and the loss is convex in p.
    """
    log_p = log_softmax(logits)
    ratio = log_mixture_ratio(log_p, log_miss_probs(log_p), pi1)
    return log_softmax(-torch.log1p(ratio / -torch.log1p(-pi1)))


@declare(
    source="Englesson and Azizpour 2021, Generalized Jensen-Shannon Divergence Loss for Learning "
    "with Noisy Labels, NeurIPS",
    family="robust",
    use="Wrong labels, when the mean absolute error would hardly learn.",
    link=jensen_shannon_link,
    local=True,
    aliases=("js",),
    pi1=FloatParam(0.1, 0.9, default=0.5, valid=Interval(0.0, 1.0, open_low=True, open_high=True)),
)
def jensen_shannon(log_p: Tensor, *, pi1: Tensor) -> Tensor:
    """Jensen-Shannon divergence of label and softmax, scaled to a slope of -1 in p at a sure hit.

    ``L = 1 - p - ((π + (1 - π) p) log(π + (1 - π) p) - (1 - π) p log p) / Z`` with ``Z = -(1 - π)
    log(1 - π)``, where π is the weight of the label and p the softmax of the true class. It is
    bounded. It tends to cross-entropy for π → 0 and, slowly, to the mean absolute error for π → 1.

    Args:
        log_p: Log-probability of the true class.
        pi1: Weight π of the label against the prediction; the larger, the more robust. From above
            0 (cross-entropy) to below 1 (the mean absolute error, which has no read-out).

    Shape:
        ``(K, B)``, ``(K, 1)`` → ``(K, B)``.

    Examples:
        >>> import torch
        >>> jensen_shannon(torch.tensor([[2.0, 1.0, 0.1]]), torch.tensor([0]), pi1=0.5)
        tensor([0.3919])
    """
    miss, p, rest = miss_probs(log_p), log_p.exp(), 1.0 - pi1
    ratio = log_mixture_ratio(log_p, miss.log(), pi1)
    # log(m), computed from 1 - m if that is small, which keeps the digits of 1 - p.
    apart = rest * miss
    log_m = torch.where(apart < 0.5, torch.log1p(-apart.clamp_max(0.5)), torch.log(pi1 + rest * p))
    # π KL(label, m) + (1 - π) KL(p, m), in terms that do not cancel for small π or 1 - p.
    return miss - (pi1 * log_m / off_zero(rest) + p * ratio) / -torch.log1p(-pi1)
