"""Cross-entropy."""

from __future__ import annotations

from torch import Tensor

from autoloss.losses.declare import declare


@declare(
    source="Good 1952, Rational Decisions, J. R. Stat. Soc. B 14(1)",
    family="proper",
    use="Start here: every other loss has to beat it with equal tuning.",
    proper=True,
    local=True,
)
def cross_entropy(log_p: Tensor) -> Tensor:
    """Negative log-probability of the true class, the log score, in nats per example.

    ``L = -log p``, with the gradient ``p - u`` on the logits, where u is one-hot. It is the only
    local score that is strictly proper for three or more classes.

    Args:
        log_p: Log-probability of the true class.

    Shape:
        ``(K, B)`` → ``(K, B)``.

    Examples:
        >>> import torch
        >>> cross_entropy(torch.tensor([[2.0, 1.0, 0.1]]), torch.tensor([0]))
        tensor([0.4170])
    """
    return -log_p
