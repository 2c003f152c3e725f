"""The Brier score."""

from __future__ import annotations

from torch import Tensor

from autoloss.losses.declare import declare
from autoloss.losses.labels import pick
from autoloss.losses.numerics import softmax


@declare(
    source="Brier 1950, Verification of Forecasts Expressed in Terms of Probability, "
    "Mon. Weather Rev. 78(1)",
    family="proper",
    masked=True,
    use="Slightly noisy labels, or confident mistakes that must not dominate.",
    proper=True,
)
def brier(logits: Tensor, targets: Tensor) -> Tensor:
    """Squared distance of the probabilities from the one-hot label, summed over C, 0 to 2.

    ``L = sum_k (p_k - u_k)²``, which is twice scikit-learn's value for two classes. The gradient
    vanishes on a confident mistake, so the loss needs its own learning rate.

    Args:
        logits: Raw scores.
        targets: Labels.

    Shape:
        ``(K, B, C)``, ``(K, B)`` → ``(K, B)``.

    Examples:
        >>> import torch
        >>> brier(torch.tensor([[0.8, 0.1, 0.1]]).log(), torch.tensor([0]))
        tensor([0.0600])
    """
    probs = softmax(logits)
    return probs.square().sum(-1) - 2.0 * pick(probs, targets) + 1.0
