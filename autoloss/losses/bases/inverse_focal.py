"""Inverse focal loss."""

from __future__ import annotations

import torch
from torch import Tensor

from autoloss.losses.declare import declare
from autoloss.losses.loss import Special
from autoloss.losses.numerics import log_softmax
from autoloss.losses.parameters import FloatParam, Interval


def inverse_focal_link(logits: Tensor, *, gamma: Tensor) -> Tensor:
    """Return the log posterior, ``p / φ(p)`` normalised.

    ``φ(p) = (1+p)^γ + γ p (1+p)^(γ-1) log p`` is the gradient in units of cross-entropy's.
    """
    log_p = log_softmax(logits)
    p = log_p.exp()
    log_phi = gamma * p.log1p() + torch.log1p(gamma * p * log_p / (1.0 + p))
    return log_softmax(log_p - log_phi)


@declare(
    source="Wang, Feng and Zhang 2021, Rethinking Calibration of Deep Neural Networks: Do Not Be "
    "Afraid of Overconfidence, NeurIPS",
    family="focusing",
    use="Probabilities that are calibrated after training, which vanishing gradients would harm.",
    link=inverse_focal_link,
    local=True,
    special=(Special(at={"gamma": 0.0}, equals="cross_entropy"),),
    # Up to 1.61 every posterior has a single minimum; above, two equally likely classes have two.
    gamma=FloatParam(0.1, 1.25, default=0.5, valid=Interval(0.0, 1.5)),
)
def inverse_focal(log_p: Tensor, *, gamma: Tensor) -> Tensor:
    """Cross-entropy weighted by ``(1 + p) ** gamma``, p of the true class, in nats per example.

    ``L = -(1 + p)^γ log p``. A learnt example gets up to ``2^γ`` times its weight, the opposite of
    focal loss. At the minimum, ``softmax(logits)`` is more confident than the posterior, which has
    a closed form.

    Args:
        log_p: Log-probability of the true class.
        gamma: Power that stresses learnt examples, at least 0 (no effect).

    Shape:
        ``(K, B)``, ``(K, 1)`` → ``(K, B)``.

    Examples:
        >>> inverse_focal(torch.tensor([[2.0, 1.0, 0.1]]), torch.tensor([0]), gamma=0.5)
        tensor([0.5371])
    """
    return -((1.0 + log_p.exp()) ** gamma) * log_p
