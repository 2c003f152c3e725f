"""A threshold for each of several labels, with the highest F1 on held-out items."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autoloss.metrics.label_places import LabelPlaces

FloatArray = NDArray[np.float64]
FEW_YES = 50
"""So many rows of yes count as much as the probabilities in the choice of a threshold."""
_STEPS, _END = 16, 10
_EDGES = np.arange(-_STEPS * _END, _STEPS * _END + 1) / _STEPS
_N_BINS = len(_EDGES) + 1
_SAME = 1e-9


def f1_thresholds(
    log_odds: FloatArray, answers: NDArray[np.bool_], places: LabelPlaces
) -> FloatArray:
    """Return for each label the log odds above which yes has the highest F1, (L,).

    A label is likelier to be decided for than at a probability of a half where it is rare. The
    fewer rows have it, the more the probabilities themselves decide in place of the answers: each
    item counts as ``(1 - w) y + w p`` rows of yes, with ``w = 50 / (50 + rows of yes)``.

    Args:
        log_odds: Log odds of yes of the items, calibrated.
        answers: Whether yes is true.
        places: The labels of the items.

    Shape:
        log_odds and answers (M,).

    Source:
        Lipton, Elkan and Naryanaswamy 2014, Optimal Thresholding of Classifiers to Maximize F1
        Measure, ECML PKDD; thresholds are steps of 1/16 in log odds.
    """
    one = np.zeros(len(answers), dtype=np.int64)
    table = _tables(log_odds, answers, places, one, 1)
    return _best(*table)[:, 0]


def crossfitted_decisions(
    log_odds: FloatArray, answers: NDArray[np.bool_], places: LabelPlaces
) -> NDArray[np.bool_]:
    """Return whether each item is decided for, at the threshold of the items of other folds.

    Args:
        log_odds: Log odds of yes of the items, calibrated.
        answers: Whether yes is true.
        places: The labels of the items; the items of a cluster are in a fold.

    Shape:
        log_odds, answers and result (M,).
    """
    folds = places.folds()
    n_folds = int(folds.max(initial=0)) + 1
    every, yes = _tables(log_odds, answers, places, folds, n_folds)
    others = [one.sum(1, keepdims=True) - one for one in (every, yes)]
    found = _best(*others)
    return np.asarray(log_odds > found[places.numbers, folds], dtype=bool)


def _tables(
    log_odds: FloatArray,
    answers: NDArray[np.bool_],
    places: LabelPlaces,
    folds: NDArray[np.int64],
    n_folds: int,
) -> tuple[FloatArray, FloatArray]:
    """Return the items, and the rows of yes for which they count, in each bin: (L, F, bins)."""
    # The number of edges below each item.
    near = np.clip(log_odds, -_END - 1.0, _END + 1.0)
    bins = np.clip(np.ceil((near + _END) * _STEPS), 0, len(_EDGES)).astype(np.int64)
    shape = (places.n_labels, n_folds, _N_BINS)
    index = (places.numbers * n_folds + folds) * _N_BINS + bins
    size = int(np.prod(shape))
    weight = FEW_YES / (FEW_YES + places.sums(answers.astype(np.float64)))[places.numbers]
    probs = 1.0 / (1.0 + np.exp(-np.clip(log_odds, -700.0, 700.0)))
    counted = np.where(answers, 1.0 - weight, 0.0) + weight * probs
    every = np.bincount(index, minlength=size).astype(np.float64)
    yes = np.bincount(index, counted, minlength=size).astype(np.float64)
    return every.reshape(shape), yes.reshape(shape)


def _best(every: FloatArray, yes: FloatArray) -> FloatArray:
    """Return the edge with the highest F1, the middle of equal edges: (..., bins) -> (...)."""
    decided, hits = (np.flip(np.flip(one, -1).cumsum(-1), -1)[..., 1:] for one in (every, yes))
    below = decided + yes.sum(-1, keepdims=True)
    value = np.divide(2.0 * hits, below, out=np.zeros_like(below), where=below > 0)
    is_best = value >= value.max(-1, keepdims=True) - _SAME
    first = is_best.argmax(-1)
    place = np.arange(len(_EDGES))
    ends = ~is_best & (place > first[..., None])
    last = np.where(ends.any(-1), ends.argmax(-1), len(_EDGES)) - 1
    return np.asarray(_EDGES[(first + last) // 2])
