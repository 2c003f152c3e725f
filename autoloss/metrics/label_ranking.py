"""Areas under the curves of several labels, from a single sort of each label's items."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autoloss.metrics.label_places import LabelPlaces

FloatArray = NDArray[np.float64]


def label_areas(
    scores: NDArray[np.floating], answers: NDArray[np.bool_], places: LabelPlaces
) -> tuple[FloatArray, FloatArray]:
    """Return the area under the ROC curve of each label, and its average precision, in [0, 1].

    Tied scores count together, as in scikit-learn. Both are NaN for a label that all rows have, or
    none, and for a candidate whose scores are NaN.

    Args:
        scores: Scores that rank the items by yes.
        answers: Whether yes is true.
        places: The labels of the items.

    Shape:
        scores (K, M), answers (M,) -> (K, L), (K, L).
    """
    found = np.full((2, len(scores), places.n_labels), np.nan)
    for label, own in enumerate(places.by_label()):
        yes = answers[own]
        if yes.any() and not yes.all():
            for k, one in enumerate(scores):
                found[:, k, label] = _areas(one[own], yes)
    found[:, np.isnan(scores).any(1)] = np.nan
    return found[0], found[1]


def _areas(scores: NDArray[np.floating], yes: NDArray[np.bool_]) -> tuple[float, float]:
    """Return both areas of one label of one candidate."""
    order = np.argsort(-scores)
    ranked = scores[order]
    # The last item of each run of equal scores.
    ends = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), len(ranked) - 1)
    hits = np.cumsum(yes[order])[ends].astype(np.float64)
    false = ends + 1 - hits
    step = np.diff(hits, prepend=0.0)
    area = float(np.diff(false, prepend=0.0) @ (hits - step / 2.0)) / (hits[-1] * false[-1])
    return area, float(step @ (hits / (ends + 1))) / hits[-1]
