"""Cross-fitting: the folds, and for each fold the temperature that all other folds give."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoloss.core.errors import InputError
from autoloss.readout.table import ScoreTable
from autoloss.readout.temperature import LOG_BETA_BOUND, Optimum, solve

# A Newton correction of size d leaves about d ** 3 / 2 nats: 1e-6 here. A larger correction is
# iterated.
_LARGEST_CORRECTION = 0.01


def fold_numbers(
    targets: Tensor | int, *, n_folds: int = 5, seed: int = 0, groups: Tensor | None = None
) -> Tensor:
    """Deal examples to folds of equal size; each class is spread evenly, each group stays whole.

    Args:
        targets: Classes, shape (N,), spread evenly over the folds; or the number of examples.
        n_folds: Folds; there are fewer for fewer examples or groups.
        seed: Seed of the deal.
        groups: Group of each example, shape (N,); a group is never divided.

    Returns:
        Fold of each example, shape (N,), int64.

    Raises:
        InputError: If there are fewer than two examples or groups.
    """
    n = targets if isinstance(targets, int) else len(targets)
    random = np.random.default_rng(seed)
    if groups is not None:
        _, of_example, sizes = np.unique(
            groups.cpu().numpy(), return_inverse=True, return_counts=True
        )
        _check_at_least_two(len(sizes), "groups")
        # Large groups are dealt first, one to each fold in turn.
        order = np.lexsort((random.random(len(sizes)), -sizes))
        folds = _dealt(order, n_folds)[of_example.reshape(-1)]
    else:
        _check_at_least_two(n, "examples")
        classes = np.zeros(n) if isinstance(targets, int) else targets.cpu().numpy()
        folds = _dealt(np.lexsort((random.random(n), classes)), n_folds)
    device = groups.device if groups is not None else getattr(targets, "device", "cpu")
    return torch.from_numpy(folds).to(device)


def _dealt(order: NDArray[np.int64], n_folds: int) -> NDArray[np.int64]:
    """Deal items to the folds in turn, in this order."""
    folds = np.empty(len(order), dtype=np.int64)
    folds[order] = np.arange(len(order)) % min(n_folds, len(order))
    return folds


def _check_at_least_two(count: int, what: str) -> None:
    if count < 2:
        remedy = ": give more groups, or smaller ones" if what == "groups" else ""
        raise InputError(
            f"The held-out rows must have at least two {what}, which calibrate each other, but "
            f"got {what}={count}{remedy}."
        )


def crossfit(table: ScoreTable, start: Tensor, *, tol: float) -> tuple[Tensor, Tensor]:
    """Fit the temperature of each row on all examples, and for each fold on all other folds.

    The derivatives at the first fit are known by fold, so each other fit is a Newton correction
    from it; if the correction is large, Newton steps follow.

    Args:
        table: The scores, V rows and F folds.
        start: Log inverse temperatures to start from, shape (V,).
        tol: As in `solve`.

    Returns:
        Log inverse temperatures, shapes (V,) and (V, F).
    """
    found = solve(table, start, tol=tol)
    per_fold, is_large = _corrected(found)
    row, fold = is_large.nonzero(as_tuple=True)
    if len(row):
        start = per_fold[row, fold].nan_to_num(nan=0.0)
        # The held-out loss has a slope here, so an error counts to first order.
        refitted = solve(table, start, tol=min(tol, 1e-3), rows=row, without=fold)
        per_fold[row, fold] = refitted.log_beta
    return found.log_beta, per_fold


def _corrected(found: Optimum) -> tuple[Tensor, Tensor]:
    """Return a Newton correction of the optimum for each fold, and whether it is too large."""
    slope = found.slope.sum(-1, keepdim=True) - found.slope
    curvature = found.curvature.sum(-1, keepdim=True) - found.curvature
    at = found.at.unsqueeze(-1)
    step = -slope / (curvature * at.exp())
    # The slope is zero for constant scores and for very certain scores.
    step = torch.where(slope == 0, 0.0, step)
    near = found.log_beta.unsqueeze(-1)
    log_beta = (at + step).clamp(near - 1, near + 1).clamp(-LOG_BETA_BOUND, LOG_BETA_BOUND)
    return log_beta, ~(step.abs() <= _LARGEST_CORRECTION)
