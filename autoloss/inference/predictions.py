"""Predictions as a table: the decision, and a column of probability for each class."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autoloss.core.task import Task
from autoloss.data.values import label_of

if TYPE_CHECKING:
    from autoloss.inference.classifier import Classifier

PREDICTION = "prediction"


def probability_names(task: Task) -> tuple[str, ...]:
    """Return the names of the columns of probability, in the order of the classes."""
    return tuple(f"probability_{label_of(label)}" for label in task.classes)


def table_of(classifier: Classifier, probs: NDArray[np.float64]) -> pd.DataFrame:
    """Return a table with the decision and the probability of each class for each row of `probs`.

    Shape:
        probs (N, C).
    """
    names = probability_names(classifier.task)
    columns = {name: probs[:, code] for code, name in enumerate(names)}
    return pd.DataFrame({PREDICTION: classifier.classes[classifier.decisions(probs)], **columns})
