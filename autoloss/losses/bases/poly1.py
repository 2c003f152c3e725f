"""PolyLoss with one term."""

from __future__ import annotations

import torch
from torch import Tensor

from autoloss.losses.declare import declare
from autoloss.losses.loss import Special
from autoloss.losses.numerics import log_miss_probs, log_softmax
from autoloss.losses.parameters import FloatParam, Interval


def poly1_link(logits: Tensor, *, epsilon: Tensor) -> Tensor:
    """Return the log posterior, ``p / (1 + ε p)`` normalised."""
    log_p = log_softmax(logits)
    # 1 + ε p = (1 - p) + (1 + ε) p, a sum of positive terms even for ε near -1.
    log_phi = torch.logaddexp(log_miss_probs(log_p), torch.log1p(epsilon) + log_p)
    return log_softmax(log_p - log_phi)


@declare(
    source="Leng et al. 2022, PolyLoss: A Polynomial Expansion Perspective of Classification Loss "
    "Functions, ICLR, arXiv:2204.12511",
    family="focusing",
    use="A small step away from cross-entropy in either direction, with a single parameter.",
    link=poly1_link,
    local=True,
    special=(Special(at={"epsilon": 0.0}, equals="cross_entropy"),),
    epsilon=FloatParam(-0.9, 6.0, default=1.0, valid=Interval(-1.0, float("inf"), open_low=True)),
)
def poly1(log_p: Tensor, *, epsilon: Tensor) -> Tensor:
    """Cross-entropy with its first polynomial term raised, per example.

    ``L = -log p + ε (1 - p)``. Symmetric cross-entropy (α, β; Wang et al. 2019), with -A in the
    place of ``log 0``, is ``α`` times this loss at ``ε = A β / α``; a search has only this loss.

    Args:
        log_p: Log-probability of the true class.
        epsilon: Weight of the term, above -1; positive values push probabilities towards 1.

    Shape:
        ``(K, B)``, ``(K, 1)`` → ``(K, B)``.

    Examples:
        >>> poly1(torch.tensor([[2.0, 1.0, 0.1]]), torch.tensor([0]), epsilon=1.0)
        tensor([0.7580])
    """
    return -log_p - epsilon * torch.expm1(log_p)
