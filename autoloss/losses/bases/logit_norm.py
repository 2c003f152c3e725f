"""Cross-entropy of logits with a fixed norm."""

from __future__ import annotations

import torch
from torch import Tensor

from autoloss.core.task import CLASSES_ALONE
from autoloss.losses.context import LossContext, tilted
from autoloss.losses.declare import declare
from autoloss.losses.labels import pick
from autoloss.losses.numerics import MASKED, is_present, log_softmax
from autoloss.losses.parameters import FloatParam, Interval

# As in the authors' code; it also keeps the gradient finite at logits of 0.
_SMALL = 1e-7


def normalised_logits(
    logits: Tensor, *, tau: Tensor, context: LossContext | None = None
) -> Tensor:
    """Return the logits scaled to the norm ``1 / τ``; `tau` broadcasts against the classes."""
    present = is_present(logits)
    counted = logits.where(present, 0.0)
    norm: Tensor = torch.linalg.vector_norm(counted, dim=-1, keepdim=True)
    return tilted((counted / (tau * (norm + _SMALL))).where(present, MASKED), context)


def logit_norm_link(logits: Tensor, *, tau: Tensor, context: LossContext | None) -> Tensor:
    """Return the log posterior, the log-softmax of the normalised logits."""
    return log_softmax(normalised_logits(logits, tau=tau, context=context))


@declare(
    source="Wei et al. 2022, Mitigating Neural Network Overconfidence with Logit Normalization, "
    "ICML, arXiv:2205.09310",
    family="normalised",
    masked=True,
    use="Inputs unlike the training data must be detectable by low confidence.",
    tasks=CLASSES_ALONE,
    link=logit_norm_link,
    view=normalised_logits,
    tau=FloatParam(
        0.01, 1.0, default=0.04, log=True, valid=Interval(0.0, float("inf"), open_low=True)
    ),
)
def logit_norm(
    logits: Tensor, targets: Tensor, *, tau: Tensor, context: LossContext | None
) -> Tensor:
    """Cross-entropy of the logits divided by their norm and a temperature, in nats per example.

    ``L = -log softmax(z / (τ (||z||_2 + 1e-7)))_y``. Larger logits do not lower the loss, so the
    posterior is read from the normalised logits too. The read-out is exact if the log
    probabilities of the posterior, minus their mean, have a norm of at most ``1 / τ``: for two
    classes, up to a probability of 0.80 at τ = 1, and nearly up to 1 at τ = 0.04. A surer
    posterior is read as the nearest that the norm permits. The gradient is in proportion to ``1 /
    (τ ||z||)``: at logits of 0 it is finite, but about 1e8 times that of cross-entropy.

    Args:
        logits: Raw scores.
        targets: Labels.
        tau: Temperature, above 0; its inverse is the norm of the inputs of the softmax.
        context: Has the scale and shift of a prior.

    Shape:
        ``(K, B, C)``, ``(K, B)``, ``(K, 1)`` → ``(K, B)``.

    Examples:
        >>> logit_norm(torch.tensor([[0.3, 0.0, 0.4]]), torch.tensor([2]), tau=0.1)
        tensor([0.1272])
    """
    read = normalised_logits(logits, tau=tau[..., None], context=context)
    return -pick(log_softmax(read), targets)
