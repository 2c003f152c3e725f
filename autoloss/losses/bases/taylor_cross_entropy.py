"""Taylor cross-entropy."""

from __future__ import annotations

import torch
from torch import Tensor

from autoloss.losses.declare import declare
from autoloss.losses.loss import Special
from autoloss.losses.numerics import log_softmax, softmax
from autoloss.losses.parameters import IntParam

_MOST = 10


def taylor_cross_entropy_link(logits: Tensor, *, t: Tensor) -> Tensor:
    """Return the log posterior, ``p / (1 - (1-p)^t)`` normalised.

    The quotient is ``1 / sum_{i<t} (1-p)^i``, which neither cancels nor underflows. It is exact if
    every class has a probability above 0 at the minimum.
    """
    miss = 1.0 - softmax(logits)
    total = torch.zeros_like(miss)
    for i in range(_MOST, 0, -1):
        total = miss * total + (t >= i)
    return log_softmax(-total.log())


@declare(
    source="Feng et al. 2020, Can Cross Entropy Loss Be Robust to Label Noise?, IJCAI, "
    "doi:10.24963/ijcai.2020/305",
    family="robust",
    use="Wrong labels, with whole steps between the mean absolute error and cross-entropy.",
    link=taylor_cross_entropy_link,
    local=True,
    special=(Special(at={"t": 1}, equals="mae"),),
    t=IntParam(1, _MOST, default=2, log=True),
)
def taylor_cross_entropy(log_p: Tensor, *, t: Tensor) -> Tensor:
    """The first terms of cross-entropy's series in ``1 - p``; one term is the mean absolute error.

    ``L = sum_{i=1..t} (1 - p)^i / i``, which is at most ``1 + log t``; an example has the weight
    ``1 - (1-p)^t`` in the gradient. At the minimum of the expectation, classes that are much less
    likely than others, by a factor of t or less, have probability 0, and their read-out is too
    large. The read-out is exact if no class has probability 0.

    Args:
        log_p: Log-probability of the true class.
        t: Number of terms, 1 (the mean absolute error) to 10; cross-entropy has all terms.

    Shape:
        ``(K, B)``, ``(K, 1)`` → ``(K, B)``.

    Examples:
        >>> taylor_cross_entropy(torch.tensor([[2.0, 1.0, 0.1]]), torch.tensor([0]), t=2)
        tensor([0.3991])
    """
    miss = -torch.expm1(log_p)
    total = torch.zeros_like(miss)
    for i in range(_MOST, 0, -1):
        total = miss * (total + (t >= i).to(miss.dtype) / i)
    return total
