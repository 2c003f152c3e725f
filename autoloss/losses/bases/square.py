"""The square loss on raw scores."""

from __future__ import annotations

from torch import Tensor

from autoloss.core.task import CLASSES_ALONE
from autoloss.losses.bases.entmax import log_sparsemax
from autoloss.losses.declare import declare
from autoloss.losses.labels import pick
from autoloss.losses.numerics import is_present
from autoloss.losses.parameters import FloatParam, Interval

_POSITIVE = Interval(0.0, float("inf"), open_low=True)


def square_link(logits: Tensor, *, kappa: Tensor, M: Tensor) -> Tensor:
    """Return the log posterior, ``r / (r + κ (1 - r))`` with ``r = z / M``.

    At the minimum these sum to 1. Elsewhere the nearest distribution takes their place, which
    keeps the order of the classes; outside of 0 to 1 the curve is linear.
    """
    ratio = logits / M
    inside = ratio.clamp(0.0, 1.0)
    curve = inside / (inside + kappa * (1.0 - inside))
    return log_sparsemax(curve + (ratio - inside))


@declare(
    source="Hui and Belkin 2021, Evaluation of Neural Architectures Trained with Square Loss vs "
    "Cross-Entropy in Classification Tasks, ICLR, arXiv:2006.07322",
    family="proper",
    masked=True,
    use="Few classes and clean labels; with many classes, set kappa and M.",
    tasks=CLASSES_ALONE,
    link=square_link,
    kappa=FloatParam(1.0, 30.0, default=1.0, log=True, valid=_POSITIVE, searched=False),
    M=FloatParam(1.0, 30.0, default=1.0, log=True, valid=_POSITIVE, searched=False),
)
def square(logits: Tensor, targets: Tensor, *, kappa: Tensor, M: Tensor) -> Tensor:
    """Squared distance of the raw scores from the one-hot label, no softmax, summed over C.

    ``L = κ (z_y - M)² + sum_{k != y} z_k²``, not divided by C. At κ = M = 1 it is least squares,
    and the scores approach the probabilities. κ and M are for many classes, whose zeros outweigh
    the one. M alone is a temperature: ``M² L(z / M)``. Several yes-or-no labels are not supported,
    because a score would mean yes above 1/2, not above 0.

    Args:
        logits: Raw scores.
        targets: Labels.
        kappa: Weight of the true class's term, above 0.
        M: Target of the true class's score, above 0.

    Shape:
        ``(K, B, C)``, ``(K, B)``, ``(K, 1)``, ``(K, 1)`` → ``(K, B)``.

    Examples:
        >>> import torch
        >>> square(torch.tensor([[0.5, 0.0, 0.2]]), torch.tensor([0]))
        tensor([0.2900])
    """
    true = pick(logits, targets)
    squares = logits.where(is_present(logits), 0.0).square()
    return squares.sum(-1) - true.square() + kappa * (true - M).square()
