"""Early-learning regularisation."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from autoloss.losses.context import LossContext
from autoloss.losses.declare import declare
from autoloss.losses.labels import pick
from autoloss.losses.loss import Special
from autoloss.losses.numerics import log_softmax, softmax
from autoloss.losses.parameters import FloatParam, Interval

_LEAST = 1e-4


def _bounded_probs(logits: Tensor) -> Tensor:
    """Return the probabilities, held off 0 and 1 as the authors do.

    The agreement with what is remembered then is at most ``1 - 1e-4``, and its logarithm finite; a
    class that is held has no gradient by the penalty.
    """
    return softmax(logits).clamp(_LEAST, 1.0 - _LEAST)


@torch.no_grad()
def elr_memory(memory: Tensor, logits: Tensor, *, lambda_: Tensor, beta: Tensor) -> Tensor:
    """Return the running mean of the predictions, ``β t + (1 - β) p``, without gradient.

    Shape:
        ``memory`` and ``logits (K, B, C)``, ``lambda_`` and ``beta (K, 1, 1)`` → ``(K, B, C)``.
    """
    probs = _bounded_probs(logits)
    return beta * memory + (1.0 - beta) * (probs / probs.sum(-1, keepdim=True))


@declare(
    source="Liu et al. 2020, Early-Learning Regularization Prevents Memorization of Noisy Labels, "
    "NeurIPS, arXiv:2007.00151",
    family="robust",
    masked=True,
    use="Wrong labels that a network memorises late in a long training.",
    needs=("row_ids", "memory"),
    memory=elr_memory,
    special=(Special(at={"lambda_": 0.0}, equals="cross_entropy"),),
    lambda_=FloatParam(1.0, 10.0, default=3.0, log=True, valid=Interval(0.0, float("inf"))),
    beta=FloatParam(0.5, 0.99, default=0.7, valid=Interval(0.0, 1.0, open_high=True)),
)
def elr(
    logits: Tensor, targets: Tensor, *, lambda_: Tensor, beta: Tensor, context: LossContext
) -> Tensor:
    """Cross-entropy that pulls an example towards its earlier predictions, in nats.

    ``L = -log p_y + λ log(1 - sum_k t_k p_k)``, t being the running mean of the predictions for
    this example, the present one included, and p within ``[1e-4, 1 - 1e-4]`` in the sum. It can
    be negative, ``λ log 1e-4`` at least. What it converges to depends on the way there, so no
    posterior can be read.

    Args:
        logits: Raw scores.
        targets: Labels.
        lambda_: Weight λ of the memory, from 0 (cross-entropy).
        beta: How much of the running mean is kept in a step, 0 to below 1; read by its update.
        context: Has the running mean in `memory`, updated by this step already.

    Shape:
        ``(K, B, C)``, ``(K, B)``, ``(K, 1)``, ``(K, 1)``; ``context.memory (K, B, C)`` → ``(K,
        B)``.

    Examples:
        >>> row_ids, memory = torch.tensor([0]), torch.tensor([[0.3, 0.0, 0.0]])
        >>> context = LossContext(row_ids=row_ids, memory=memory)
        >>> elr(torch.tensor([[2.0, 1.0, 0.1]]), torch.tensor([0]), context=context)
        tensor([-0.2438])
    """
    agreement = (cast(Tensor, context.memory) * _bounded_probs(logits)).sum(-1)
    return lambda_ * torch.log1p(-agreement) - pick(log_softmax(logits), targets)
