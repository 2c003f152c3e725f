"""The expected calibration error with soft bins."""

from __future__ import annotations

import torch
from torch import Tensor

from autoloss.losses.component import Scored
from autoloss.losses.declare import declare_penalty
from autoloss.losses.parameters import FloatParam, Interval
from autoloss.losses.penalties._calibration import batch_axes, confidence_and_gap, resolution

_BINS = 15


@declare_penalty(
    source="Karandikar et al. 2021, Soft Calibration Objectives for Neural Networks, NeurIPS, "
    "arXiv:2108.00106, eq. 11",
    use="Probabilities must be calibrated directly after training, and batches are large.",
    readable="kept",
    T=FloatParam(1e-4, 1e-1, default=1e-2, log=True, valid=Interval(1e-6, float("inf"))),
    weight=FloatParam(0.01, 10.0, default=1.0, log=True, valid=Interval(0.0, float("inf"))),
)
def soft_ece(scored: Scored, *, T: Tensor) -> Tensor:
    """Calibration error of a batch in 15 soft bins.

    ``R = sqrt(sum_b w_b (conf_b - acc_b)^2)``, where an example has the share ``softmax_b(-(c -
    ξ_b)^2 / T)`` in bin b with the middle ``ξ_b``, and ``w_b`` is the mean of the shares. It is 0
    if the confidences are the chances of being right, so it keeps the minimum of a base whose
    softmax is the posterior; labels drawn with these chances leave noise of the order ``1 /
    sqrt(N)``. A value that rounding alone explains is 0, without a slope.

    Args:
        scored: The batch.
        T: Squared width of a soft bin; as it tends to 0, the bins become hard.

    Shape:
        ``T (k, 1)`` or ``(k, 1, 1)`` → one value per candidate, of the same shape; per label ``(k,
        1, L)``.

    Examples:
        >>> log_probs = torch.tensor([[[0.6, 0.4], [0.6, 0.4]]]).log()
        >>> soft_ece.function(
        ...     Scored(log_probs, log_probs, torch.tensor([[0, 0]])), T=torch.tensor([[0.01]])
        ... )
        tensor([[0.4000]])
    """
    confidence, gap = confidence_and_gap(scored)
    axes, weights = batch_axes(scored), scored.weights()
    middle = (torch.arange(_BINS, device=gap.device, dtype=gap.dtype) + 0.5) / _BINS
    # The bins are the first axis, along which a softmax over few of them is fast.
    middle = middle.view(-1, *[1] * confidence.ndim)
    share = (-((confidence - middle).square()) / T).softmax(0)
    inside = (share * weights).sum([axis + 1 for axis in axes], keepdim=True)
    lacks = (share * gap).sum([axis + 1 for axis in axes], keepdim=True)
    # The shares of a far bin underflow.
    mean_gap = lacks / inside.clamp_min(torch.finfo(gap.dtype).tiny)
    count = weights.sum(axes, keepdim=True).clamp_min(1.0)
    square = (inside * mean_gap.square()).sum(0) / count
    counts = square > resolution(gap.dtype) ** 2
    return square.where(counts, 1.0).sqrt().where(counts, 0.0)
