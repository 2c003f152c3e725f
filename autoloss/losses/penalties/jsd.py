"""The divergence between neighbours of a sequence."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import softplus

from autoloss.losses.component import Scored
from autoloss.losses.declare import declare_penalty
from autoloss.losses.parameters import FloatParam, Interval


def jensen_shannon(log_p: Tensor, log_q: Tensor) -> Tensor:
    """Return the Jensen-Shannon divergence of two distributions, in nats, from 0 to ``log 2``.

    It is ``sum_k m_k h((log p_k - log q_k) / 2)`` with ``m = (p + q) / 2`` and ``h(a) = a tanh a -
    log cosh a``. No term is negative, so nothing cancels if p and q are nearly equal.

    Args:
        log_p: Log-probabilities.
        log_q: Log-probabilities.

    Shape:
        both ``(..., C)`` → ``(...)``.
    """
    half = 0.5 * (log_p - log_q)
    near = half.clamp(-1.0, 1.0)
    tanh = near.tanh()
    # log 2 minus the entropy of a coin is exact for large logits, where h is not.
    apart = 2.0 * half.abs()
    far = math.log(2.0) - softplus(-apart) - apart * (-apart).sigmoid()
    h = torch.where(half.abs() < 1.0, near * tanh + 0.5 * torch.log1p(-tanh.square()), far)
    return (0.5 * (log_p.exp() + log_q.exp()) * h).sum(-1)


@declare_penalty(
    source="Lin 1991, Divergence Measures Based on the Shannon Entropy, IEEE Trans. Inf. Theory "
    "37(1), between neighbouring positions",
    use="Labels that extend over several positions of a sequence.",
    tasks=("sequence",),
    weight=FloatParam(0.01, 10.0, default=0.1, log=True, valid=Interval(0.0, float("inf"))),
)
def jsd(scored: Scored) -> Tensor:
    """Jensen-Shannon divergence of neighbouring predictions, the mean over the pairs, in nats.

    ``R = mean_t (KL(p_t || m_t) + KL(p_(t+1) || m_t)) / 2`` with ``m_t = (p_t + p_(t+1)) / 2``,
    over the pairs in which both positions have a label, so that padding and gaps do not count. It
    lies between 0 and ``log 2``. It draws neighbouring predictions together, so the posterior of a
    position cannot be read from its own logits.

    Args:
        scored: The batch.

    Shape:
        ``(k, 1, 1)``, 0 if there is no pair.

    Examples:
        >>> log_probs = torch.tensor([[[[0.9, 0.1], [0.5, 0.5], [0.5, 0.5]]]]).log()
        >>> jsd.function(Scored(log_probs, log_probs, torch.tensor([[[0, 1, 1]]])))
        tensor([[[0.0509]]])
    """
    weights = scored.weights()
    is_pair = (weights[..., 1:] > 0) & (weights[..., :-1] > 0)
    apart = jensen_shannon(scored.log_probs[..., :-1, :], scored.log_probs[..., 1:, :])
    total = apart.where(is_pair, 0.0).sum((1, 2), keepdim=True)
    return total / is_pair.sum((1, 2), keepdim=True).clamp_min(1)
