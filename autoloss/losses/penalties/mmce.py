"""The maximum mean calibration error."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from autoloss.losses.component import Scored
from autoloss.losses.declare import declare_penalty
from autoloss.losses.parameters import FloatParam, Interval
from autoloss.losses.penalties._calibration import batch_axes, confidence_and_gap, resolution

_WIDTH = 0.4


@torch.no_grad()
def kernel_sums(at: Tensor, gap: Tensor) -> tuple[Tensor, Tensor]:
    """Return ``f(c_i) = sum_j g_j exp(-|c_i - c_j| / 0.4)`` and its slope in ``c_i``.

    Along sorted confidences, the sum over lower confidences is a cumulative sum of ``g_j exp(c_j /
    0.4)``, with factors from 1 to 12, so N items cost N log N. Equal confidences have no slope on
    each other.

    Args:
        at: The confidences c, in [0, 1], float64.
        gap: The gaps g.

    Shape:
        both ``(..., N)`` → ``(..., N)``, ``(..., N)``.

    Examples:
        >>> [total, slope] = kernel_sums(torch.tensor([0.1, 0.5]), torch.tensor([1.0, 1.0]))
        >>> total, slope
        (tensor([1.3679, 1.3679]), tensor([ 0.9197, -0.9197]))
    """
    ordered, order = at.contiguous().sort(-1)
    gap = gap.gather(-1, order)
    first = torch.searchsorted(ordered, ordered)
    last = torch.searchsorted(ordered, ordered, right=True)
    rise = (ordered / _WIDTH).exp()
    up_to, beyond, equal = (
        pad(values.cumsum(-1), (1, 0)) for values in (gap * rise, gap / rise, gap)
    )
    below = up_to.gather(-1, first) / rise
    above = (beyond[..., -1:] - beyond.gather(-1, last)) * rise
    total = below + above + equal.gather(-1, last) - equal.gather(-1, first)
    slope = (above - below) / _WIDTH
    back = order.argsort(-1)
    return total.gather(-1, back), slope.gather(-1, back)


@declare_penalty(
    source="Kumar et al. 2018, Trainable Calibration Measures for Neural Networks from Kernel "
    "Mean Embeddings, ICML",
    use="Probabilities must be calibrated directly after training, and batches are large.",
    readable="kept",
    weight=FloatParam(0.1, 8.0, default=2.0, log=True, valid=Interval(0.0, float("inf"))),
)
def mmce(scored: Scored) -> Tensor:
    """Calibration error of a batch, with a kernel between confidences in place of bins.

    ``R = sqrt(sum_ij (r_i - c_i) (r_j - c_j) exp(-|c_i - c_j| / 0.4)) / N``, where c is the
    confidence, and r is 1 for a right decision or else 0. The paper has the root; some code does
    not. Over many rows it is 0 if the confidences are the chances of being right, so it keeps the
    minimum of a base whose softmax is the posterior. For N labels drawn with these chances, the
    mean of the square is ``sum_i c_i (1 - c_i) / N^2``: small batches look miscalibrated. A value
    that rounding alone explains is 0, without a slope.

    Args:
        scored: The batch.

    Shape:
        One value per candidate, ``(k, 1)`` or ``(k, 1, 1)``; per label ``(k, 1, L)``.

    Examples:
        >>> log_probs = torch.tensor([[[0.6, 0.4], [0.6, 0.4]]]).log()
        >>> mmce.function(Scored(log_probs, log_probs, torch.tensor([[0, 0]])))
        tensor([[0.4000]])
    """
    confidence, gap = confidence_and_gap(scored)
    axes = batch_axes(scored)
    with torch.no_grad():
        at, wide = confidence.double(), gap.double()
        if scored.task == "multilabel":
            total, slope = (found.mT for found in kernel_sums(at.mT, wide.mT))
        else:
            found = kernel_sums(at.flatten(1), wide.flatten(1))
            total, slope = (one.view_as(at) for one in found)
        count = scored.weights().double().sum(axes, keepdim=True).clamp_min(1.0)
        square = (wide * total).sum(axes, keepdim=True) / count**2
        # Gaps that cancel leave the rounding of their sum, whose sign has no meaning.
        lost = resolution(torch.float64) * (wide.abs().sum(axes, keepdim=True) / count) ** 2
        counts = square > resolution(confidence.dtype) ** 2 + lost
        value = square.where(counts, 1.0).sqrt()
        pull = (wide * slope - total) / (count**2 * value)
        value, pull = value.where(counts, 0.0), pull.where(counts, 0.0)
    # The second term adds 0 to the value, and has the whole gradient of items with a label.
    moved = pull.to(confidence.dtype) * (confidence - confidence.detach())
    return value.to(confidence.dtype) + moved.sum(axes, keepdim=True)
