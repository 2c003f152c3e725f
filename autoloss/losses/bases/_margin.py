"""Functions shared by losses that lower the true class's logit by a margin."""

from __future__ import annotations

from torch import Tensor

from autoloss.losses.context import LossContext, tilted
from autoloss.losses.labels import pick
from autoloss.losses.numerics import log_miss_probs, log_softmax, margin_log_loss


def cross_entropy_with_margin(logits: Tensor, targets: Tensor, margin: Tensor) -> Tensor:
    """Return the cross-entropy with the true logit lowered; O(C), even with every label at once.

    Args:
        logits: Inputs of the softmax.
        targets: Labels.
        margin: The margin of each label, at least 0, subtracted from its logit if it is true.

    Shape:
        ``(K, B, C)``, ``(K, B)``, ``(K, B)`` → ``(K, B)``.
    """
    log_probs = log_softmax(logits)
    log_miss = log_miss_probs(log_probs)
    return margin_log_loss(pick(log_probs, targets), pick(log_miss, targets), margin)


def scaled(cosines: Tensor, *, s: Tensor, m: Tensor, context: LossContext | None) -> Tensor:
    """Return the scaled cosines, the inputs of the softmax: the view of losses of cosines."""
    return tilted(s * cosines, context)
