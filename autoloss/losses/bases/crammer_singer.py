"""The hinge of Crammer and Singer."""

from __future__ import annotations

from torch import Tensor

from autoloss.core.task import CLASSES_ALONE
from autoloss.losses.declare import declare
from autoloss.losses.labels import is_label, pick


@declare(
    source="Crammer and Singer 2001, On the Algorithmic Implementation of Multiclass Kernel-based "
    "Vector Machines, JMLR 2",
    family="margin",
    masked=True,
    use="Decisions matter, probabilities do not, and one class has most of the probability.",
    tasks=CLASSES_ALONE,
)
def crammer_singer(logits: Tensor, targets: Tensor) -> Tensor:
    """Multiclass hinge: the shortfall of the true class's lead over the best wrong class from 1.

    ``L = max(0, 1 + max_{j != y} z_j - z_y)``, which is `sklearn.metrics.hinge_loss`. No posterior
    can be read from its logits. With three or more classes even the decision can be wrong if no
    class has a probability above 1/2. A soft label costs O(C²).

    Args:
        logits: Raw scores.
        targets: Labels.

    Shape:
        ``(K, B, C)``, ``(K, B)`` → ``(K, B)``.

    Examples:
        >>> import torch
        >>> crammer_singer(torch.tensor([[0.5, 0.0, 0.2]]), torch.tensor([0]))
        tensor([0.7000])
    """
    lack = 1.0 - pick(logits, targets)[..., None] + logits
    return lack.masked_fill(is_label(logits, targets), 0.0).amax(-1)
