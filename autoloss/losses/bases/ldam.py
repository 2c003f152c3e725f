"""Label-distribution-aware margin."""

from __future__ import annotations

from torch import Tensor

from autoloss.core.task import CLASSES_ALONE
from autoloss.losses.bases._margin import cross_entropy_with_margin, scaled
from autoloss.losses.bases.sm_softmax import sm_softmax_link
from autoloss.losses.context import LossContext
from autoloss.losses.declare import declare
from autoloss.losses.labels import pick
from autoloss.losses.loss import Special
from autoloss.losses.parameters import FloatParam, Interval


def class_margins(logits: Tensor, *, m: Tensor, context: LossContext) -> Tensor:
    """Return the margin of every class, m for the rarest, in the shape of the logits."""
    assert context.class_counts is not None
    # A class without rows would have an infinite margin, and the other classes none.
    counts = context.class_counts.to(logits).clamp_min(1.0)
    share = (counts.amin(-1, keepdim=True) / counts) ** 0.25
    return (m * share).expand(logits.shape)


def ldam_link(cosines: Tensor, *, s: Tensor, m: Tensor, context: LossContext) -> Tensor:
    """Return the log posterior, ``p (1 - a p)`` normalised; ``a = 1 - exp(-s m)`` by class."""
    margins = class_margins(cosines, m=m, context=context)
    return sm_softmax_link(scaled(cosines, s=s, m=m, context=context), m=s * margins)


@declare(
    source="Cao et al. 2019, Learning Imbalanced Datasets with Label-Distribution-Aware Margin "
    "Loss, NeurIPS, arXiv:1906.07413",
    family="margin",
    masked=True,
    use="Rare classes; best with class weights that start late in training.",
    tasks=CLASSES_ALONE,
    symmetric=False,
    head="cosine",
    view=scaled,
    needs=("class_counts",),
    link=ldam_link,
    special=(Special(at={"s": 1.0, "m": 0.0}, equals="cross_entropy"),),
    m=FloatParam(0.1, 1.0, default=0.5, valid=Interval(0.0, 2.0)),
    s=FloatParam(5.0, 30.0, default=30.0, log=True, valid=Interval(0.0, 1000.0, open_low=True)),
)
def ldam(logits: Tensor, targets: Tensor, *, m: Tensor, s: Tensor, context: LossContext) -> Tensor:
    """Cross-entropy of scaled cosines with a wider margin for rarer classes, in nats per example.

    ``L = -log(e^(s (c_y - m_y)) / (e^(s (c_y - m_y)) + sum_{j != y} e^(s c_j)))``, where c are
    cosines, ``m_y = m (n_min / n_y)^(1/4)`` and n are the training rows of the classes. With equal
    counts it is `am_softmax`.

    Logits beyond 1, from a head without cosines, go into the formula unchanged.

    Args:
        logits: Cosines.
        targets: Labels.
        m: Margin of the rarest class, in cosines, at least 0.
        s: Scale of the cosines, above 0.
        context: Has the class counts; a class without rows counts as a class with a single row.

    Shape:
        ``(K, B, C)``, ``(K, B)``, ``(K, 1)``, class counts ``(C,)`` or ``(K, 1, C)`` → ``(K, B)``.

    Examples:
        >>> import torch
        >>> context = LossContext(class_counts=torch.tensor([16.0, 1.0]))
        >>> logits, targets = torch.tensor([[0.5, 0.3], [0.5, 0.3]]), torch.tensor([0, 1])
        >>> ldam(logits, targets, m=0.5, s=5.0, context=context)
        tensor([0.8259, 3.5298])
    """
    margins = class_margins(logits, m=m[..., None], context=context)
    read = scaled(logits, s=s[..., None], m=m, context=context)
    return cross_entropy_with_margin(read, targets, s * pick(margins, targets))
