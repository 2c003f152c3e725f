"""Additive angular margin."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from autoloss.core.task import CLASSES_ALONE
from autoloss.losses.bases._margin import cross_entropy_with_margin, scaled
from autoloss.losses.context import LossContext
from autoloss.losses.declare import declare
from autoloss.losses.labels import pick
from autoloss.losses.loss import Special
from autoloss.losses.parameters import FloatParam, Interval


@declare(
    source="Deng et al. 2019, ArcFace: Additive Angular Margin Loss for Deep Face Recognition, "
    "CVPR, arXiv:1801.07698",
    family="margin",
    masked=True,
    use="Like am_softmax, but the margin is the same angle for all examples.",
    tasks=CLASSES_ALONE,
    head="cosine",
    view=scaled,
    special=(Special(at={"s": 1.0, "m": 0.0}, equals="cross_entropy"),),
    s=FloatParam(4.0, 64.0, default=16.0, log=True, valid=Interval(0.0, 1000.0, open_low=True)),
    m=FloatParam(0.0, 0.6, default=0.2, valid=Interval(0.0, math.pi / 2.0)),
)
def arcface(
    logits: Tensor, targets: Tensor, *, s: Tensor, m: Tensor, context: LossContext | None
) -> Tensor:
    """Cross-entropy of scaled cosines, the true angle widened by a margin, in nats per example.

    ``L = -log(e^(s f(t_y)) / (e^(s f(t_y)) + sum_{j != y} e^(s cos(t_j))))`` with ``f(t) = cos(t +
    m)``, where t are the angles between features and class weights. If ``t + m`` is above pi, the
    cosine would rise again; there ``f(t) = cos(t) - m sin(m)``, as in the authors' code. So f
    always falls, with a step down at ``t = pi - m``.

    The gradient is that of the formula. Code that changes the cosine in place, outside of the
    graph, loses the factor ``sin(t + m) / sin(t)`` on the true cosine.

    No posterior can be read: a common shift of all cosines changes only the margins. They are
    concave in the cosine, so the expected loss is least with a cosine at an end of its range,
    where the slopes have no information.

    Args:
        logits: Cosines. A value beyond 1, by rounding or from another head, has the angle of 1,
            but goes into the softmax unchanged.
        targets: Labels.
        s: Scale of the cosines, above 0.
        m: Margin in radians, at least 0.
        context: Has the scale and shift of a prior.

    Shape:
        ``(K, B, C)``, ``(K, B)``, ``(K, 1)`` → ``(K, B)``.

    Examples:
        >>> arcface(torch.tensor([[0.6, 0.4, -0.2]]), torch.tensor([0]), s=4.0, m=0.2)
        tensor([0.6785])
    """
    cosine = pick(logits, targets).clamp(-1.0, 1.0)
    # The slope of the sine is infinite at 0, where the slope of a head is 0. The numbers next to 1
    # and -1 are above this bound, so no other value changes.
    square = (1.0 - cosine) * (1.0 + cosine)
    sine = square.clamp_min(torch.finfo(square.dtype).tiny).sqrt()
    # cos(t) - cos(t + m), in a form in which 1 - cos(m) keeps its digits for a small m.
    widened = 2.0 * torch.sin(m / 2.0).square() * cosine + torch.sin(m) * sine
    margin = torch.where(cosine >= -torch.cos(m), widened, m * torch.sin(m))
    read = scaled(logits, s=s[..., None], m=m, context=context)
    return cross_entropy_with_margin(read, targets, s * margin)
