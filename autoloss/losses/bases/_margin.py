"""What the losses share that lower the true class's logit by a margin."""

from __future__ import annotations

from torch import Tensor

from autoloss.losses.context import LossContext, tilted
from autoloss.losses.labels import pick
from autoloss.losses.numerics import log_miss_probs, log_softmax, margin_log_loss


def cross_entropy_with_margin(logits: Tensor, targets: Tensor, margin: Tensor) -> Tensor:
    """Return the cross-entropy whose true logit is lowered, O(C) also with every label at once.

    Args:
        logits: What the softmax reads.
        targets: Labels.
        margin: How much the logit of a label is lowered when it is the true one, from 0.

    Shape:
        ``(K, B, C)``, ``(K, B)``, ``(K, B)`` → ``(K, B)``.
    """
    log_probs = log_softmax(logits)
    log_miss = log_miss_probs(log_probs)
    return margin_log_loss(pick(log_probs, targets), pick(log_miss, targets), margin)


def scaled(cosines: Tensor, *, s: Tensor, m: Tensor, context: LossContext | None) -> Tensor:
    """Return what the softmax of a cosine head reads: the view of its losses."""
    return tilted(s * cosines, context)
