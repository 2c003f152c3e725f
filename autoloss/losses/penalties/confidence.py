"""The penalty on confidence."""

from __future__ import annotations

from torch import Tensor

from autoloss.losses.component import Scored
from autoloss.losses.declare import declare_penalty
from autoloss.losses.parameters import FloatParam, Interval


@declare_penalty(
    source="Pereyra et al. 2017, Regularizing Neural Networks by Penalizing Confident Output "
    "Distributions, arXiv:1701.06548",
    use="An overconfident network; similar classes may keep their order.",
    readable="slope",
    weight=FloatParam(0.01, 1.0, default=0.1, log=True, valid=Interval(0.0, float("inf"))),
)
def confidence(scored: Scored) -> Tensor:
    """Minus the entropy of the predicted probabilities, in nats per item.

    ``R = sum_k p_k log p_k = -log(1 + sum_(j != top) exp(-d_j)) - sum_k p_k d_k``, with ``d_k =
    z_top - z_k``. The terms have the same sign, so the value is exact even if p rounds to 1. It
    lies between ``-log C`` and 0. The slope ``p_k (log p_k + H)`` does not depend on the label:
    beside cross-entropy, with weight β, the posterior is ``p_k (1 + β (log p_k + H))``. Some
    implementations divide by C; their weight is C times this weight.

    Args:
        scored: The batch.

    Shape:
        ``(k, *items)``, 0 for an item without a label.

    Examples:
        >>> import torch
        >>> log_probs = torch.tensor([[[0.5, 0.5], [0.9, 0.1]]]).log()
        >>> confidence.function(Scored(log_probs, log_probs, torch.tensor([[0, 1]])))
        tensor([[-0.6931, -0.3251]])
    """
    top = scored.logits.detach().argmax(-1, keepdim=True)
    below_top = scored.logits.gather(-1, top) - scored.logits
    others = (-below_top).exp().scatter(-1, top, 0.0).sum(-1)
    entropy = others.log1p() + (scored.log_probs.exp() * below_top).sum(-1)
    return entropy.where(scored.weights() > 0, 0.0).neg()
