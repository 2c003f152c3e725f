"""The points of a reliability diagram, as plain data."""

from __future__ import annotations

import torch
from torch import Tensor

from autoloss.metrics.bands import chance_band, independent_rows
from autoloss.metrics.calibration import equal_mass, top_label
from autoloss.records import Reliability

_BARS = 40


def reliability(
    log_probs: Tensor,
    targets: Tensor,
    *,
    name: str,
    bins: int = 15,
    clusters: Tensor | None = None,
) -> Reliability:
    """Return confidence and accuracy of equal-mass bins, with the band of a calibrated model.

    If the examples of a bin are right as often as its mean confidence says, 95 % of the accuracies
    lie in the band: quantiles of the binomial law, a little wide where confidences differ within a
    bin. Examples of a cluster count as `independent_rows` counts them.

    Args:
        log_probs: Log probabilities of one model, shape (N, C).
        targets: Classes, shape (N,).
        name: The name of the model.
        bins: The largest number of bins; examples with the same confidence share one.
        clusters: The cluster of each example, shape (N,); None if all are independent.
    """
    confidence, correct = (values[0] for values in top_label(log_probs.unsqueeze(0), targets))
    return _diagram(confidence, correct, name=name, bins=bins, clusters=clusters)


def positive_reliability(
    log_probs: Tensor,
    targets: Tensor,
    *,
    name: str,
    bins: int = 15,
    clusters: Tensor | None = None,
) -> Reliability:
    """Return the probability of class 1 and its share in equal-mass bins, with the same band.

    Args:
        log_probs: Log probabilities of one model, shape (N, 2).
        targets: Classes 0 and 1, shape (N,).
        name: The name of the model.
        bins: The largest number of bins; examples with the same probability share one.
        clusters: The cluster of each example, shape (N,); None if all are independent.
    """
    probs = log_probs[:, 1].exp().double()
    return _diagram(probs, (targets == 1).to(probs), name=name, bins=bins, clusters=clusters)


def _histogram(confidence: Tensor) -> tuple[int, ...]:
    """Return the rows of each bin of equal width from 0 to 1; the last bin includes 1."""
    place = (confidence.clamp(0.0, 1.0) * _BARS).long().clamp_max(_BARS - 1)
    return tuple(torch.bincount(place, minlength=_BARS).tolist())


def _diagram(
    confidence: Tensor, correct: Tensor, *, name: str, bins: int, clusters: Tensor | None
) -> Reliability:
    """Return the points of a diagram; confidence, correct and clusters are (N,)."""
    index = equal_mass(confidence.unsqueeze(0), bins)[0]
    member = torch.nn.functional.one_hot(index, bins).double()
    count = member.sum(0)
    is_used = count > 0
    count = count[is_used]
    mean = (confidence @ member)[is_used] / count
    accuracy = (correct @ member)[is_used] / count
    rows = independent_rows(correct - confidence, index, bins, clusters=clusters)
    rows = rows[is_used.cpu().numpy()]
    low, high = chance_band(rows, mean.clamp(0, 1).cpu().numpy())
    return Reliability(
        name=name,
        confidence=tuple(mean.tolist()),
        accuracy=tuple(accuracy.tolist()),
        count=tuple(int(number) for number in count.tolist()),
        low=low,
        high=high,
        histogram=_histogram(confidence),
    )
