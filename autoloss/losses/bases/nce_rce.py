"""Normalised cross-entropy plus reverse cross-entropy."""

from __future__ import annotations

import torch
from torch import Tensor

from autoloss.losses.bases.symmetric_cross_entropy import COST_OF_ZERO
from autoloss.losses.declare import declare
from autoloss.losses.labels import pick
from autoloss.losses.loss import Special
from autoloss.losses.numerics import is_present, log_softmax
from autoloss.losses.parameters import FloatParam, Interval


@declare(
    source="Ma et al. 2020, Normalized Loss Functions for Deep Learning with Noisy Labels, ICML, "
    "arXiv:2006.13554",
    family="robust",
    masked=True,
    use="A large share of wrong labels, when the mean absolute error learns too slowly.",
    special=(Special(at={"alpha": 0.0, "beta": 1.0}, equals="mae", times=COST_OF_ZERO),),
    alpha=FloatParam(0.1, 100.0, default=1.0, log=True, valid=Interval(0.0, float("inf"))),
    beta=FloatParam(
        0.1, 100.0, default=0.1, log=True, valid=Interval(0.0, float("inf"), open_low=True)
    ),
)
def nce_rce(logits: Tensor, targets: Tensor, *, alpha: Tensor, beta: Tensor) -> Tensor:
    """Normalised cross-entropy plus reverse cross-entropy, per example.

    ``L = α log p_y / (sum_k log p_k) + β A (1 - p_y)`` with ``A = -log 1e-4``. Both terms are
    robust to wrong labels; from the minimum of neither can a posterior be read. The first term
    alone is least where the rarest class is given up, for any probabilities of the others, so β is
    above 0.

    Args:
        logits: Raw scores.
        targets: Labels.
        alpha: Weight of normalised cross-entropy, at least 0.
        beta: Weight of reverse cross-entropy, above 0.

    Shape:
        ``(K, B, C)``, ``(K, B)``, ``(K, 1)``, ``(K, 1)`` → ``(K, B)``.

    Examples:
        >>> logits, targets = torch.tensor([[2.0, 1.0, 0.1]]), torch.tensor([0])
        >>> nce_rce(logits, targets, alpha=1.0, beta=0.1)
        tensor([0.4145])
    """
    log_probs = log_softmax(logits)
    log_p = pick(log_probs, targets)
    # The sum is at most -C log C, and 0 only if a single class is present.
    total = log_probs.where(is_present(logits), 0.0).sum(-1)
    total = total.clamp_max(-1e-6)
    return alpha * (log_p / total) - COST_OF_ZERO * beta * torch.expm1(log_p)
