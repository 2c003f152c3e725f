"""Gradient boosting on the rows of some parts, read as the user wrote them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from autoloss.data import Part, StudyData
from autoloss.experiment.boosting import Boosted, gradient_boosting
from autoloss.experiment.label_boosting import MOST_LABELS, boosted_labels

IntArray = npt.NDArray[np.integer]


def why_not_boosted(data: StudyData) -> str:
    """Return the reason why gradient boosting cannot learn from data; empty if it can."""
    if len(data.task.names) > MOST_LABELS:
        return f"it would have to learn more than {MOST_LABELS} labels"
    return data.kind.not_boosted


def boosted_parts(data: StudyData, train: Sequence[Part], test: Part, *, seed: int) -> Boosted:
    """Train gradient boosting on some parts and predict another.

    Args:
        data: The data, which gradient boosting can learn from.
        train: The parts to train on.
        test: The part to predict.
        seed: Seed of samples and training runs.

    Returns:
        The predictions of the rows of the part.

    Shape:
        log probabilities ``(N, C)``; of several labels ``(N, L, 2)``.
    """
    targets = np.concatenate([part.targets.cpu().numpy() for part in train])

    def rows_of(rows: IntArray) -> pd.DataFrame:
        return _rows_of(data, train, rows)

    if data.task.names:
        return boosted_labels(rows_of, targets, data.frame(test), seed=seed)
    return gradient_boosting(
        rows_of, targets, data.frame(test), n_classes=data.task.n_classes, seed=seed
    )


def _rows_of(data: StudyData, parts: Sequence[Part], rows: IntArray) -> pd.DataFrame:
    """Return rows of parts as they were read, by their position in the joined parts."""
    found, first = [], 0
    for part in parts:
        own = rows[(rows >= first) & (rows < first + len(part))] - first
        found.append(data.frame(replace(part, rows=part.rows[torch.from_numpy(own)])))
        first += len(part)
    return pd.concat(found, ignore_index=True)
