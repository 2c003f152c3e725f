"""Untuned gradient boosting of several labels a row: a model for each label."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd

from autoloss.core.task import MISSING_LABEL
from autoloss.experiment.boosting import Boosted, FloatArray, gradient_boosting

IntArray = npt.NDArray[np.integer]
MOST_LABELS = 50
"""With more labels, as many models would take too long."""


def boosted_labels(
    train: Callable[[IntArray], pd.DataFrame],
    answers: IntArray,
    test: pd.DataFrame,
    *,
    seed: int = 0,
) -> Boosted:
    """Train scikit-learn's gradient boosting for each label, and predict the test rows.

    Args:
        train: Returns some of the training rows, as they were read.
        answers: 1 for yes, 0 for no and -100 where missing, of all training rows.
        test: The same columns of the test rows.
        seed: Seed of the samples and of the training runs.

    Returns:
        The predictions.

    Shape:
        answers (n, L); the result has log probabilities (N, L, 2).
    """
    found: list[FloatArray] = []
    notes: dict[str, None] = {}

    def rows_of(known: IntArray, rows: IntArray) -> pd.DataFrame:
        return train(known[rows])

    for own in answers.T:
        known = np.flatnonzero(own != MISSING_LABEL)
        boosted = gradient_boosting(
            partial(rows_of, known),
            own[known],
            test,
            n_classes=2,
            seed=seed,
            models=answers.shape[1],
        )
        found.append(boosted.log_probs)
        notes |= dict.fromkeys(boosted.notes)
    return Boosted(np.stack(found, 1), tuple(notes)[:1], boosted.name)
