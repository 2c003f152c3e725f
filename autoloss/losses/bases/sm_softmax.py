"""Soft-margin softmax."""

from __future__ import annotations

import torch
from torch import Tensor

from autoloss.losses.declare import declare
from autoloss.losses.loss import Special
from autoloss.losses.numerics import (
    log_miss_probs,
    log_softmax,
    margin_log_loss,
    miss_probs,
)
from autoloss.losses.parameters import FloatParam, Interval


def sm_softmax_link(logits: Tensor, *, m: Tensor) -> Tensor:
    """Return the log posterior, ``p (1 - a p)`` normalised, with ``a = 1 - exp(-m)``."""
    log_p = log_softmax(logits)
    # 1 - a p = (1 - p) + exp(-m) p, a sum of positive terms.
    return log_softmax(log_p + torch.logaddexp(log_miss_probs(log_p), log_p - m))


@declare(
    source="Liang et al. 2017, Soft-Margin Softmax for Deep Classification, ICONIP, "
    "doi:10.1007/978-3-319-70096-0_43",
    family="margin",
    use="A larger distance between the classes, with probabilities that remain readable.",
    link=sm_softmax_link,
    local=True,
    special=(Special(at={"m": 0.0}, equals="cross_entropy"),),
    m=FloatParam(0.05, 3.0, default=0.3, log=True, valid=Interval(0.0, 30.0)),
)
def sm_softmax(log_p: Tensor, *, m: Tensor) -> Tensor:
    """Cross-entropy with the true class's logit lowered by a margin, in nats per example.

    ``L = -log(e^(z_y - m) / (e^(z_y - m) + sum_{j != y} e^(z_j)))``. It depends on p alone: ``m -
    log p + log(1 - p + p e^(-m))``.

    Args:
        log_p: Log-probability of the true class.
        m: Margin in logits, at least 0.

    Shape:
        ``(K, B)``, ``(K, 1)`` → ``(K, B)``.

    Examples:
        >>> sm_softmax(torch.tensor([[2.0, 1.0, 0.1]]), torch.tensor([0]), m=0.3)
        tensor([0.5297])
    """
    return margin_log_loss(log_p, miss_probs(log_p).log(), m)
