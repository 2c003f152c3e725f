"""The weights of a blend of finalists, by greedy selection on held-out predictions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating]
STEPS = 40
"""The most selections; a weight is a multiple of one part in so many."""
_SAME = 1e-12
# Rows whose losses are computed at once.
_BLOCK = 1 << 20


def greedy_weights(of_truth: FloatArray, *, steps: int = STEPS) -> FloatArray:
    """Return the weights of a mean of models, selected greedily with replacement.

    The selection begins with the best model. Each step adds the model with which the mean has the
    lowest log loss; the mean with the lowest log loss of all steps is taken, so that it is never
    worse than the best model on these rows.

    Args:
        of_truth: The probability that each model gives the true class of each row.
        steps: The most selections.

    Returns:
        The weight of each model; they sum to 1.

    Shape:
        of_truth (F, N), result (F,).

    Source:
        Caruana et al. 2004, Ensemble Selection from Libraries of Models, ICML.

    Examples:
        >>> greedy_weights(np.array([[0.9, 0.1], [0.1, 0.9], [0.2, 0.2]])).tolist()
        [0.5, 0.5, 0.0]
    """
    counts = np.zeros(len(of_truth))
    total = np.zeros(of_truth.shape[1])
    best, lowest = counts, np.inf
    for step in range(1, steps + 1):
        losses = _mean_losses(total, of_truth, step)
        chosen = int(np.argmin(losses))
        counts = counts + (np.arange(len(counts)) == chosen)
        total = total + of_truth[chosen]
        if losses[chosen] < lowest - _SAME:
            best, lowest = counts / step, losses[chosen]
    weights: FloatArray = best
    return weights


def _mean_losses(total: FloatArray, of_truth: FloatArray, step: int) -> FloatArray:
    """Return the log loss of the mean with each model added, (F,)."""
    n_rows = len(total)
    if n_rows <= _BLOCK:
        one: FloatArray = -np.log((total + of_truth) / step).mean(axis=1)
        return one
    blocks = [slice(first, first + _BLOCK) for first in range(0, n_rows, _BLOCK)]
    sums = [np.log((total[own] + of_truth[:, own]) / step).sum(axis=1) for own in blocks]
    found: FloatArray = -np.sum(sums, axis=0) / n_rows
    return found
