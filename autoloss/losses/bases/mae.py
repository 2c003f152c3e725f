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

    ``L = 1 - p``. At its minimum the likeliest class has all probability, so no posterior can be
    read; labels that are wrong evenly over the classes do not move this minimum. It learns slowly,
    the more so with more classes, and needs a larger learning rate.

    Args:
        log_p: Log-probability of the true class.

    Shape:
        ``(K, B)`` → ``(K, B)``.

    Examples:
        >>> mae(torch.tensor([[2.0, 1.0, 0.1]]), torch.tensor([0]))
        tensor([0.3410])
    """
    return -torch.expm1(log_p)
