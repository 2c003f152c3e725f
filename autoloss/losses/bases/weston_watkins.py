"""The hinge of Weston and Watkins."""

from __future__ import annotations

from torch import Tensor

from autoloss.losses.declare import declare
from autoloss.losses.labels import pick
from autoloss.losses.parameters import ChoiceParam


@declare(
    source="Weston and Watkins 1999, Support Vector Machines for Multi-Class Pattern Recognition, "
    "ESANN",
    family="margin",
    masked=True,
    use="Decisions matter, probabilities do not.",
    p=ChoiceParam((1, 2), default=1),
)
def weston_watkins(logits: Tensor, targets: Tensor, *, p: Tensor) -> Tensor:
    """Multiclass hinge: each wrong class's shortfall from a distance of 1, summed, divided by C.

    ``L = sum_{j != y} max(0, 1 - z_y + z_j)^p / C``, as `torch.nn.functional.multi_margin_loss`.
    No posterior can be read from its logits. A soft label costs O(C²).

    Args:
        logits: Raw scores.
        targets: Labels.
        p: Power, 1 or 2.

    Shape:
        ``(K, B, C)``, ``(K, B)``, ``(K, 1)`` → ``(K, B)``.

    Examples:
        >>> import torch
        >>> weston_watkins(torch.tensor([[0.5, 0.0, 0.2]]), torch.tensor([0]))
        tensor([0.4000])
    """
    lack = (1.0 - pick(logits, targets)[..., None] + logits).relu()
    cost = lack * lack.where(p[..., None] == 2, 1.0)
    # In the sum the true class has max(0, 1)^p = 1, without a gradient.
    return (cost.sum(-1) - 1.0) / logits.shape[-1]
