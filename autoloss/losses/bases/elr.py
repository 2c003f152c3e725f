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
    """Return the probabilities, clamped away from 0 and 1 as in the authors' code.

    The agreement with the memory is then at most ``1 - 1e-4``, and its logarithm is finite. A
    clamped class has no gradient from the penalty.
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

    ``L = -log p_y + λ log(1 - sum_k t_k p_k)``, where t is the running mean of the predictions for
    the example, including the present step. In the sum, p is clamped to ``[1e-4, 1 - 1e-4]``. The
    loss is at least ``λ log 1e-4`` and can be negative. Its limit depends on the course of the
    training, so no posterior can be read.

    Args:
        logits: Raw scores.
        targets: Labels.
        lambda_: Weight λ of the memory, at least 0 (cross-entropy).
        beta: Share of the running mean that a step keeps, 0 to below 1; for its update.
        context: Has the running mean in `memory`, already updated by this step.

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
