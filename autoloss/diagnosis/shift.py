"""Shifts of the log probabilities, one per class, fitted by maximum likelihood."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from autoloss.losses.numerics import log_softmax

# Each step solves a system of C equations.
MOST_CLASSES = 100
# Half the squared shift is added to the summed log loss: a class without labels stays finite.
_RIDGE = 1.0
_STEPS, _LARGEST_STEP, _TOL = 30, 2.0, 1e-6
_BLOCK = 1 << 18
# Up to this many numbers, every fold is solved; above, one Newton correction is as good.
_EXACT_UP_TO = 1 << 18


def fit_shift(
    scores: Tensor, betas: Tensor, targets: Tensor, weights: Tensor, folds: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the shift b that minimises the log loss of ``softmax(beta * scores + b)``.

    At the optimum the mean probability of each class is its share of the labels, up to the ridge.

    Args:
        scores: Scores of one model.
        betas: Inverse temperature of each row.
        targets: Classes.
        weights: Weights of the rows, mean 1.
        folds: Fold of each row.

    Returns:
        The shift fitted on all rows, and for each fold on all others.

    Shape:
        scores ``(N, C)``, others ``(N,)`` → ``(C,)``, ``(F, C)``, float64.
    """
    n_folds = int(folds.max()) + 1
    problem = _Problem(scores, betas, targets, weights, folds, n_folds)
    shift = torch.zeros(scores.shape[-1], dtype=torch.float64)
    # Single folds start from the optimum of all rows.
    _Problem(scores, betas, targets, weights, torch.zeros_like(folds), 1).solve(shift)
    slope, bend = problem.derivatives(shift)
    others_slope = slope.sum(0) - slope
    others_bend = bend.sum(0) - bend
    steps = [
        _step(others_slope[fold], others_bend[fold], shift).clamp(-_LARGEST_STEP, _LARGEST_STEP)
        for fold in range(n_folds)
    ]
    per_fold = shift + torch.stack(steps)
    if scores.numel() <= _EXACT_UP_TO:
        for fold in range(n_folds):
            problem.solve(per_fold[fold], without=fold)
    return shift, per_fold


class _Problem:
    """The summed log loss as a function of the shift."""

    def __init__(
        self,
        scores: Tensor,
        betas: Tensor,
        targets: Tensor,
        weights: Tensor,
        folds: Tensor,
        n_folds: int,
    ) -> None:
        self.parts = (scores, betas, targets, weights, folds)
        self.n_folds = n_folds

    def solve(self, shift: Tensor, *, without: int | None = None) -> None:
        """Move `shift` in place to the optimum over all folds, or all folds but `without`."""
        for _ in range(_STEPS):
            slope, bend = self.derivatives(shift, without)
            step = _step(slope.sum(0), bend.sum(0), shift)
            if float(step.abs().max()) <= _TOL:
                break
            shift += step * min(1.0, _LARGEST_STEP / float(step.abs().max()))

    def derivatives(self, shift: Tensor, without: int | None = None) -> tuple[Tensor, Tensor]:
        """Return gradient ``(F, C)`` and Hessian ``(F, C, C)`` of each fold's summed loss."""
        n_classes = len(shift)
        slope = torch.zeros(self.n_folds, n_classes, dtype=torch.float64)
        bend = torch.zeros(self.n_folds, n_classes, n_classes, dtype=torch.float64)
        for scores, betas, targets, weights, folds in self._blocks(n_classes):
            probs = log_softmax(scores * betas[:, None] + shift.to(scores.dtype)).exp()
            for fold in range(self.n_folds):
                if fold == without:
                    continue
                # Zero weights for other folds are faster than selecting the rows of this fold.
                weight = weights * (folds == fold) if self.n_folds > 1 else weights
                weighted = probs * weight[:, None].to(probs.dtype)
                total = weighted.sum(0, dtype=torch.float64)
                labels = torch.bincount(targets, weight, n_classes)
                slope[fold] += total - labels
                bend[fold] += torch.diag(total) - (weighted.T @ probs).double()
        return slope, bend

    def _blocks(self, n_classes: int) -> Iterator[tuple[Tensor, ...]]:
        step = max(64, _BLOCK // n_classes)
        scores, betas, *others = self.parts
        for first in range(0, len(scores), step):
            block = slice(first, first + step)
            yield (
                scores[block],
                betas[block].to(scores.dtype),
                *(one[block] for one in others),
            )


def _step(slope: Tensor, bend: Tensor, shift: Tensor) -> Tensor:
    """Return the Newton step of the penalised loss."""
    ridge = _RIDGE * torch.eye(len(shift), dtype=torch.float64)
    step: Tensor = torch.linalg.solve(bend + ridge, -(slope + _RIDGE * shift))
    return step
