"""Calibration of the confidence: binned error, its null level, debiased error."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def top_label(log_probs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Return the confidence in the likeliest class, and whether it is the true class.

    Args:
        log_probs: Log probabilities, shape (K, N, C).
        targets: Classes, shape (N,).

    Returns:
        The largest probability, and 1 where the true class has it or else 0; (K, N), float64.
    """
    largest, label = log_probs.max(-1)
    return largest.double().exp(), (label == targets).double()


def confidence_ece(confidence: Tensor, correct: Tensor, *, bins: int = 15) -> Tensor:
    """Return the expected calibration error, in [0, 1], of equal-width bins; lower is better.

    ``sum_b n_b / n |accuracy_b - confidence_b|`` over bins ``(i / bins, (i + 1) / bins]``. It is
    biased upward: read it beside `ece_null`, and do not optimise it.

    Args:
        confidence: Probability of the predicted class.
        correct: 1 where the prediction was right, else 0.
        bins: Number of bins.

    Shape:
        confidence (K, N), correct (K, N), result (K,).

    Examples:
        >>> confidence = torch.tensor([[0.9, 0.9, 0.6, 0.6]])
        >>> round(confidence_ece(confidence, torch.tensor([[1.0, 1.0, 1.0, 0.0]])).item(), 6)
        0.1
    """
    gap = _summed(correct - confidence, _equal_width(confidence, bins), bins)
    return gap.abs().sum(-1) / confidence.shape[-1]


def ece_null(confidence: Tensor, *, bins: int = 15) -> Tensor:
    """Return the `confidence_ece` that a perfectly calibrated model would show, in [0, 1].

    ``(1 / n) sum_b sqrt(2 / pi * sum_(i in b) c_i (1 - c_i))``, from the normal limit of each bin.

    Args:
        confidence: Probability of the predicted class.
        bins: Number of bins.

    Shape:
        confidence (K, N), result (K,).
    """
    variance = _summed(confidence * (1 - confidence), _equal_width(confidence, bins), bins)
    return (2 / math.pi * variance).sqrt().sum(-1) / confidence.shape[-1]


def debiased_calibration_error(confidence: Tensor, correct: Tensor, *, bins: int = 15) -> Tensor:
    """Return the squared calibration error of equal-mass bins, debiased; lower is better.

    ``sum_b n_b / n [(accuracy_b - confidence_b) ** 2 - accuracy_b (1 - accuracy_b) / (n_b - 1)]``:
    about 0 for a calibrated model with any number of rows. It may be negative; clamp it for
    display only.

    Args:
        confidence: Probability of the predicted class.
        correct: 1 where the prediction was right, else 0.
        bins: Number of bins; examples with the same confidence share one.

    Shape:
        confidence (K, N), correct (K, N), result (K,).

    Source:
        Kumar et al. 2019, Verified Uncertainty Calibration, arXiv:1909.10155.
    """
    index = equal_mass(confidence, bins)
    count = _summed(torch.ones_like(confidence), index, bins)
    accuracy = _summed(correct, index, bins) / count.clamp_min(1)
    gap = accuracy - _summed(confidence, index, bins) / count.clamp_min(1)
    noise = accuracy * (1 - accuracy) / (count - 1).clamp_min(1)
    return (count * (gap.square() - noise)).sum(-1) / confidence.shape[-1]


def equal_mass(confidence: Tensor, bins: int) -> Tensor:
    """Return the bin of each example, (K, N): equally full, but equal values share one."""
    n = confidence.shape[-1]
    ordered = confidence.sort(-1).values
    cut = torch.arange(1, bins, device=confidence.device) * n // bins
    edges = (ordered[:, cut.clamp_min(1) - 1] + ordered[:, cut]) / 2
    return torch.searchsorted(edges.contiguous(), confidence.contiguous()).clamp_max(bins - 1)


def _equal_width(confidence: Tensor, bins: int) -> Tensor:
    """Return the bin ``(i / bins, (i + 1) / bins]`` of each example, (K, N)."""
    edges = torch.arange(1, bins, device=confidence.device, dtype=torch.float64) / bins
    return torch.bucketize(confidence, edges.to(confidence.dtype)).clamp_max(bins - 1)


def _summed(values: Tensor, index: Tensor, bins: int) -> Tensor:
    """Sum the values (K, N) of each bin, (K, bins)."""
    return values.new_zeros(len(values), bins).scatter_add(-1, index, values)
