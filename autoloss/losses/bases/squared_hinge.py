"""The squared hinge, each class against the rest."""

from __future__ import annotations

from torch import Tensor

from autoloss.losses.bases.entmax import log_sparsemax
from autoloss.losses.declare import declare
from autoloss.losses.labels import pick


def _margins(logits: Tensor) -> Tensor:
    """Return the scores to compare with 1 and -1: for two classes, their difference."""
    return logits - logits.flip(-1) if logits.shape[-1] == 2 else logits


def _sum_of_others(costs: Tensor) -> Tensor:
    """Return for every class the sum over the other classes, without cancellation.

    Shape:
        ``costs (..., C)``, at least 0 → ``(..., C)``.
    """
    top = costs.argmax(-1, keepdim=True)
    rest = costs.scatter(-1, top, 0.0).sum(-1, keepdim=True)
    return (rest - costs + costs.gather(-1, top)).scatter(-1, top, rest)


def squared_hinge_link(logits: Tensor) -> Tensor:
    """Return the log posterior, ``(z + 1) / 2``.

    At the minimum these sum to 1, apart from scores beyond -1 and 1. The nearest distribution
    clips such scores, and elsewhere keeps the order of the classes.
    """
    return log_sparsemax(0.5 * (_margins(logits) + 1.0))


@declare(
    source="Zhang 2004, Statistical Behavior and Consistency of Classification Methods Based on "
    "Convex Risk Minimization, Ann. Statist. 32(1)",
    family="margin",
    masked=True,
    use="Decisions matter most; probabilities remain readable.",
    link=squared_hinge_link,
)
def squared_hinge(logits: Tensor, targets: Tensor) -> Tensor:
    """Squared shortfall of the scores from 1 for the true class and -1 for the other classes.

    ``L = max(0, 1 - z_y)² + sum_{k != y} max(0, 1 + z_k)²``. Two classes have a single margin, the
    difference of their logits: ``L = max(0, 1 - (z_y - z_other))²``; so has each of several
    yes-or-no labels.

    Args:
        logits: Raw scores.
        targets: Labels.

    Shape:
        ``(K, B, C)``, ``(K, B)`` → ``(K, B)``.

    Examples:
        >>> import torch
        >>> squared_hinge(torch.tensor([[0.5, -1.0, -0.8]]), torch.tensor([0]))
        tensor([0.2900])
        >>> squared_hinge(torch.tensor([[0.0, 0.5]]), torch.tensor([1]))
        tensor([0.2500])
    """
    margins = _margins(logits)
    lack = pick((1.0 - margins).relu().square(), targets)
    if logits.shape[-1] == 2:
        return lack
    return lack + pick(_sum_of_others((1.0 + margins).relu().square()), targets)
