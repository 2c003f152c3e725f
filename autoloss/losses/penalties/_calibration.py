"""Functions shared by the penalties on the calibration of a batch."""

from __future__ import annotations

import torch
from torch import Tensor

from autoloss.losses.component import Scored


def confidence_and_gap(scored: Scored) -> tuple[Tensor, Tensor]:
    """Return the confidence, and hit minus confidence; both 0 for an item without a label.

    Shape:
        both ``(k, *items)``.
    """
    confidence, hit = scored.confidence_and_hit()
    has_label = scored.weights() > 0
    return confidence.where(has_label, 0.0), (hit - confidence).where(has_label, 0.0)


def batch_axes(scored: Scored) -> tuple[int, ...]:
    """Return the axes of a statistic; several yes-or-no labels have a statistic for each label."""
    return (1,) if scored.task == "multilabel" else tuple(range(1, scored.logits.ndim - 1))


def resolution(dtype: torch.dtype) -> float:
    """Return the largest difference of confidence and hit that rounding may cause."""
    return 4.0 * torch.finfo(dtype).eps
