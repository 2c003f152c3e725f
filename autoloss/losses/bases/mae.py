"""Mean absolute error."""

from __future__ import annotations

import torch
from torch import Tensor

from autoloss.losses.declare import declare


@declare(
    source="Ghosh, Kumar and Sastry 2017, Robust Loss Functions under Label Noise for Deep Neural "
    "Networks, AAAI, arXiv:1712.09482",
    family="robust",
    use="Very many wrong labels and few classes, when only decisions matter.",
    local=True,
)
def mae(log_p: Tensor) -> Tensor:
    """Probability of the wrong classes: half the absolute distance from the one-hot label.

    ``L = 1 - p``. Labels that are wrong evenly do not move its minimum, which has all probability
    on the likeliest class: no posterior can be read. It learns slowly, the more so the more
    classes there are, and wants a larger learning rate.

    Args:
        log_p: Log-probability of the true class.

    Shape:
        ``(K, B)`` → ``(K, B)``.

    Examples:
        >>> mae(torch.tensor([[2.0, 1.0, 0.1]]), torch.tensor([0]))
        tensor([0.3410])
    """
    return -torch.expm1(log_p)
