"""Generalized cross-entropy."""

from __future__ import annotations

from torch import Tensor

from autoloss.losses.declare import declare
from autoloss.losses.loss import Special
from autoloss.losses.numerics import divided_expm1, log_softmax
from autoloss.losses.parameters import FloatParam, Interval


def generalized_cross_entropy_link(logits: Tensor, *, q: Tensor) -> Tensor:
    """Return the log posterior, ``softmax((1 - q) logits)``: a temperature suffices."""
    return log_softmax((1.0 - q) * logits)


@declare(
    source="Zhang and Sabuncu 2018, Generalized Cross Entropy Loss for Training Deep Neural "
    "Networks with Noisy Labels, NeurIPS, eq. 6",
    family="robust",
    use="A large share of wrong labels, 20 % and more.",
    link=generalized_cross_entropy_link,
    local=True,
    special=(Special(at={"q": 0.0}, equals="cross_entropy"),),
    q=FloatParam(0.05, 0.95, default=0.7, valid=Interval(0.0, 1.0, open_high=True)),
)
def generalized_cross_entropy(log_p: Tensor, *, q: Tensor) -> Tensor:
    """Between cross-entropy (q → 0) and the mean absolute error (q → 1), robust to wrong labels.

    ``L = (1 - p^q) / q``. An example has the weight ``p^q``: the loss gives up an example that the
    network finds impossible.

    Args:
        log_p: Log-probability of the true class.
        q: Robustness, 0 (cross-entropy) to below 1 (the mean absolute error, which has no
            read-out).

    Shape:
        ``(K, B)``, ``(K, 1)`` → ``(K, B)``.

    Examples:
        >>> import torch
        >>> generalized_cross_entropy(torch.tensor([[2.0, 1.0, 0.1]]), torch.tensor([0]), q=0.7)
        tensor([0.3617])
    """
    return -divided_expm1(log_p, q)
