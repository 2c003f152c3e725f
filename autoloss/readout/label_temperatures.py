"""A temperature for each of several labels, drawn towards the temperature of all labels."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from autoloss.readout.temperature import LOG_BETA_BOUND

FEW_YES = 50
"""So many rows of a label's rarer answer count as much as the temperature of all labels."""
# A label's temperature is at most this far from the shared temperature, in its logarithm.
_FARTHEST = 1.5
_STEPS = 4
# A Newton step leaves an error of about its square.
_SMALL = 0.01


@dataclass(frozen=True, eq=False)
class LabelTemperatures:
    """Log inverse temperatures of K candidates for each of L labels.

    Args:
        every: Fitted on all items, (K, L), float64.
        by_fold: For each fold, fitted on the items of all other folds, (K, F, L).
    """

    every: Tensor
    by_fold: Tensor

    def of_items(self, numbers: Tensor) -> Tensor:
        """Return the temperatures of some items, by their labels: (M,) -> (K, M)."""
        return self.every[:, numbers]

    def crossfitted(self, numbers: Tensor, folds: Tensor) -> Tensor:
        """Return for each item the temperature of the other folds, (K, M).

        Args:
            numbers: The label of each item.
            folds: The fold of each item.

        Shape:
            numbers and folds (M,).
        """
        return self.by_fold[:, folds, numbers]


def fit_label_temperatures(
    scores: Tensor,
    targets: Tensor,
    numbers: Tensor,
    folds: Tensor,
    *,
    n_labels: int,
    shared: Tensor,
    shared_by_fold: Tensor,
) -> LabelTemperatures:
    """Fit the temperature of each label.

    It minimises the log loss of the label's items, and a penalty on its distance from the shared
    temperature: ``slope + 50 / n * curvature * (log_beta - shared) = 0`` for a label whose rarer
    answer has n rows. So the way from the shared temperature to the label's own minimum is gone
    by about ``n / (n + 50)``.

    Args:
        scores: Scores of no and yes.
        targets: 1 for yes, 0 for no.
        numbers: The label of each item.
        folds: The fold of each item.
        n_labels: The number of labels L.
        shared: Log inverse temperatures of all labels.
        shared_by_fold: The same for each fold, fitted on the other folds.

    Shape:
        scores (K, M, 2); targets, numbers, folds (M,); shared (K,), shared_by_fold (K, F).
    """
    n_folds = shared_by_fold.shape[1]
    margins = (scores[..., 1] - scores[..., 0]) * (targets * 2 - 1)
    index = numbers * n_folds + folds
    shape = (n_labels, n_folds)
    ones = torch.ones_like(index, dtype=torch.float64)
    yes = _summed((targets == 1).double()[None], index, shape)[0]
    rarer = torch.minimum(yes, _summed(ones[None], index, shape)[0] - yes)

    at = shared[:, None].expand(-1, n_labels).clone()
    is_moving = torch.ones_like(shared, dtype=torch.bool)
    for _ in range(_STEPS):
        slope, curvature = _moments(margins, at[:, numbers], index, shape)
        step = _step(slope.sum(-1), curvature.sum(-1), at - shared[:, None], rarer.sum(-1))
        # Each candidate stops by itself, so that its neighbours do not change it.
        step = torch.where(is_moving[:, None], step, 0.0)
        at = _near(at + step, shared[:, None])
        is_moving &= step.abs().amax(-1) >= _SMALL
        if not bool(is_moving.any()):
            break
    slope, curvature = _moments(margins, at[:, numbers], index, shape)
    # The derivatives of the other folds: (K, F, L).
    slope, curvature = (
        (one.sum(-1, keepdim=True) - one).transpose(1, 2) for one in (slope, curvature)
    )
    rows = (rarer.sum(-1, keepdim=True) - rarer).T
    centre = shared_by_fold[..., None]
    step = _step(slope, curvature, at[:, None] - centre, rows)
    return LabelTemperatures(at, _near(at[:, None] + step, centre))


def _near(log_beta: Tensor, centre: Tensor) -> Tensor:
    """Return log inverse temperatures near the shared temperatures and within the bounds."""
    near = log_beta.maximum(centre - _FARTHEST).minimum(centre + _FARTHEST)
    return near.clamp(-LOG_BETA_BOUND, LOG_BETA_BOUND)


def _step(slope: Tensor, curvature: Tensor, distance: Tensor, rows: Tensor) -> Tensor:
    """Return a Newton step of the penalised loss; 0 where it has no curvature.

    Args:
        slope: The slope of the log loss.
        curvature: Its curvature.
        distance: The distance from the shared temperature.
        rows: Rows of the rarer answer.
    """
    ratio = FEW_YES / rows.clamp_min(1e-9)
    free = slope / curvature.clamp_min(torch.finfo(slope.dtype).tiny)
    step = -(free + ratio * distance) / (1.0 + ratio)
    return torch.where(curvature > 0.0, step, 0.0).clamp(-1.0, 1.0)


def _moments(
    margins: Tensor, log_beta: Tensor, index: Tensor, shape: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """Return the slope and the curvature of the log loss by the log inverse temperature.

    The curvature is that of Fisher, which is never below zero.

    Args:
        margins: Scores of the true answer less scores of the other.
        log_beta: Log inverse temperatures.
        index: The place of each item among labels and folds.
        shape: Labels and folds.

    Shape:
        margins and log_beta (K, M), index (M,) -> twice (K, L, F).
    """
    scaled = margins * log_beta.exp().to(margins.dtype)
    slope = torch.sigmoid(-scaled).mul_(scaled).neg_()
    # scaled ** 2 * miss * (1 - miss)
    curvature = (scaled + slope).mul_(slope).neg_()
    return _summed(slope, index, shape), _summed(curvature, index, shape)


def _summed(values: Tensor, index: Tensor, shape: tuple[int, int]) -> Tensor:
    """Return the sums of values by label and fold, (K, M) -> (K, L, F)."""
    size = shape[0] * shape[1]
    # Adding at an index is many times slower.
    sums = [torch.bincount(index, one.double(), minlength=size) for one in values]
    return torch.stack(sums).view(len(values), *shape)
