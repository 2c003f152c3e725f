"""The squared earth mover's distance between ordered classes."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import pad

from autoloss.losses.declare import declare
from autoloss.losses.labels import pick
from autoloss.losses.numerics import softmax


def _squares_below(probs: Tensor) -> Tensor:
    """Return ``sum_{j < k} P(class <= j)²`` for every class k.

    Shape:
        ``(..., C)`` → ``(..., C)``.
    """
    return pad(probs.cumsum(-1)[..., :-1].square().cumsum(-1), (1, 0))


@declare(
    source="Hou et al. 2016, Squared Earth Mover's Distance-based Loss for Training Deep Neural "
    "Networks, arXiv:1611.05916; Epstein 1969, A Scoring System for Probability Forecasts of "
    "Ranked Categories, J. Appl. Meteorol. 8(6)",
    family="ordinal",
    masked=True,
    use="Ordered classes, when a near miss is better than a distant miss.",
    tasks=("multiclass", "sequence"),
    proper=True,
    symmetric=False,
)
def squared_emd(logits: Tensor, targets: Tensor) -> Tensor:
    """Squared differences of the cumulated probabilities from the label's, summed, 0 to C - 1.

    ``L = sum_{k < C} (P(class <= k) - 1[y <= k])²``, the ranked probability score, not divided by
    the C - 1 thresholds. The classes must stand in their order. For two classes it is half the
    Brier score, and like that score it has a vanishing gradient on a confident mistake.

    Args:
        logits: Raw scores, the classes in their order.
        targets: Labels.

    Shape:
        ``(K, B, C)``, ``(K, B)`` → ``(K, B)``.

    Examples:
        >>> import torch
        >>> squared_emd(torch.tensor([[0.7, 0.2, 0.1]]).log(), torch.tensor([0]))
        tensor([0.1000])
        >>> squared_emd(torch.tensor([[0.7, 0.1, 0.2]]).log(), torch.tensor([0]))
        tensor([0.1300])
    """
    probs = softmax(logits)
    # Above the label, 1 - P(class <= k) is summed from the other end, so that nothing cancels.
    above = _squares_below(probs.flip(-1)).flip(-1)
    return pick(_squares_below(probs) + above, targets)
