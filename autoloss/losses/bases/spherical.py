"""The spherical score."""

from __future__ import annotations

from torch import Tensor

from autoloss.losses.declare import declare
from autoloss.losses.labels import pick
from autoloss.losses.numerics import log_softmax


@declare(
    source="Gneiting and Raftery 2007, Strictly Proper Scoring Rules, Prediction, and Estimation, "
    "JASA 102(477)",
    family="proper",
    masked=True,
    use="Wrong labels, with a bounded loss and readable probabilities.",
    proper=True,
)
def spherical(logits: Tensor, targets: Tensor) -> Tensor:
    """Minus the cosine of the angle between the probabilities and the one-hot label, -1 to 0.

    ``L = -p_y / sqrt(sum_k p_k²)``. Like the Brier score it is bounded, and its gradient vanishes
    on a confident mistake.

    Args:
        logits: Raw scores.
        targets: Labels.

    Shape:
        ``(K, B, C)``, ``(K, B)`` → ``(K, B)``.

    Examples:
        >>> import torch
        >>> spherical(torch.tensor([[0.8, 0.1, 0.1]]).log(), torch.tensor([0]))
        tensor([-0.9847])
    """
    # p_y² / sum_k p_k² is the softmax of doubled logits, which does not underflow to 0 / 0.
    return -(0.5 * pick(log_softmax(2.0 * logits), targets)).exp()
