"""Additive-margin softmax."""

from __future__ import annotations

from torch import Tensor

from autoloss.core.task import CLASSES_ALONE
from autoloss.losses.bases._margin import cross_entropy_with_margin, scaled
from autoloss.losses.bases.sm_softmax import sm_softmax_link
from autoloss.losses.context import LossContext
from autoloss.losses.declare import declare
from autoloss.losses.loss import Special
from autoloss.losses.parameters import FloatParam, Interval


def am_softmax_link(
    cosines: Tensor, *, s: Tensor, m: Tensor, context: LossContext | None
) -> Tensor:
    """Return the log posterior, ``p (1 - a p)`` normalised, with ``a = 1 - exp(-s m)``."""
    return sm_softmax_link(scaled(cosines, s=s, m=m, context=context), m=s * m)


@declare(
    source="Wang et al. 2018, Additive Margin Softmax for Face Verification, arXiv:1801.05599; "
    "Wang et al. 2018, CosFace: Large Margin Cosine Loss for Deep Face Recognition, CVPR, "
    "arXiv:1801.09414",
    family="margin",
    masked=True,
    use="Compact clusters of features per class, for instance for comparison or retrieval.",
    tasks=CLASSES_ALONE,
    head="cosine",
    view=scaled,
    link=am_softmax_link,
    special=(Special(at={"s": 1.0, "m": 0.0}, equals="cross_entropy"),),
    aliases=("cosface",),
    s=FloatParam(4.0, 64.0, default=16.0, log=True, valid=Interval(0.0, 1000.0, open_low=True)),
    m=FloatParam(0.0, 0.5, default=0.35, valid=Interval(0.0, 2.0)),
)
def am_softmax(
    logits: Tensor, targets: Tensor, *, s: Tensor, m: Tensor, context: LossContext | None
) -> Tensor:
    """Cross-entropy of scaled cosines, the true one lowered by a margin, in nats per example.

    ``L = -log(e^(s (c_y - m)) / (e^(s (c_y - m)) + sum_{j != y} e^(s c_j)))``, where c are the
    cosines of the angles between features and class weights. It equals `sm_softmax` of ``s c``
    with the margin ``s m``, and has the same read-out. With the usual ``s m`` of 5 or more, this
    read-out draws the probabilities so close together that a fitted temperature often serves
    better.

    Logits beyond 1, from a head without cosines, go into the formula unchanged.

    Args:
        logits: Cosines.
        targets: Labels.
        s: Scale of the cosines, above 0. A probability can come near 1 only if ``2 s`` is well
            above ``log(C - 1)``.
        m: Margin, in cosines, at least 0.
        context: Has the scale and shift of a prior.

    Shape:
        ``(K, B, C)``, ``(K, B)``, ``(K, 1)`` → ``(K, B)``.

    Examples:
        >>> import torch
        >>> am_softmax(torch.tensor([[0.6, 0.4, -0.2]]), torch.tensor([0]), s=4.0, m=0.35)
        tensor([1.0944])
    """
    read = scaled(logits, s=s[..., None], m=m, context=context)
    return cross_entropy_with_margin(read, targets, s * m)
