"""The power score."""

from __future__ import annotations

from torch import Tensor

from autoloss.losses.declare import declare
from autoloss.losses.labels import pick
from autoloss.losses.loss import Special
from autoloss.losses.numerics import divided_expm1, log_softmax
from autoloss.losses.parameters import FloatParam, Interval


@declare(
    source="Basu et al. 1998, Robust and Efficient Estimation by Minimising a Density Power "
    "Divergence, Biometrika 85(3)",
    family="proper",
    masked=True,
    use="Between cross-entropy and Brier, when a few labels are wrong and probabilities matter.",
    proper=True,
    special=(
        Special(at={"beta": 1.0}, equals="cross_entropy"),
        Special(at={"beta": 2.0}, equals="brier", times=0.5),
    ),
    beta=FloatParam(1.05, 2.5, default=1.5, valid=Interval(1.0, 10.0)),
)
def power(logits: Tensor, targets: Tensor, *, beta: Tensor) -> Tensor:
    """Power (Tsallis) score: cross-entropy at β = 1, half the Brier score at β = 2.

    ``L = -(p_y^(β-1) - 1) / (β-1) + (sum_k p_k^β - 1) / β``, which is generalized cross-entropy at
    ``q = β - 1`` plus a term that makes it proper. The constant gives both special cases exactly,
    and a sure hit costs 0.

    Args:
        logits: Raw scores.
        targets: Labels.
        beta: Power, at least 1; the larger, the less small probabilities count.

    Shape:
        ``(K, B, C)``, ``(K, B)``, ``(K, 1)`` → ``(K, B)``.

    Examples:
        >>> import torch
        >>> power(torch.tensor([[0.8, 0.1, 0.1]]).log(), torch.tensor([0]), beta=2.0)
        tensor([0.0300])
    """
    log_probs = log_softmax(logits)
    spread = (beta[..., None] * log_probs).exp().sum(-1)
    return (spread - 1.0) / beta - divided_expm1(pick(log_probs, targets), beta - 1.0)
