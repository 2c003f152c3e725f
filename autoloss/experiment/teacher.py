"""A teacher: a trained model whose probabilities for the training rows are targets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoloss.core.errors import InputError
from autoloss.core.task import Label, Task
from autoloss.data.class_table import places_of_classes
from autoloss.data.values import label_of
from autoloss.inference.classifier import Classifier
from autoloss.inference.loading import load

# A teacher's probabilities are clamped here, because its logits must be finite.
_LEAST_PROB = 1e-7


@runtime_checkable
class Estimator(Protocol):
    """A fitted classifier with scikit-learn's interface."""

    classes_: Any

    def predict_proba(self, X: Any) -> Any:
        """Return probabilities: a row for each example, a column for each class of `classes_`."""


Teacher = Classifier | Estimator | str | Path


def open_teacher(teacher: Teacher | None) -> Classifier | Estimator | None:
    """Return a teacher; a teacher given as a folder is loaded.

    Raises:
        InputError: It is neither a model nor a fitted classifier.
    """
    if isinstance(teacher, str | Path):
        return load(teacher)
    if teacher is None or isinstance(teacher, Classifier | Estimator):
        return teacher
    raise InputError(
        "teacher must be a model's folder, a Classifier or a fitted estimator with predict_proba, "
        f"but got {type(teacher).__name__}."
    )


def teacher_logits(teacher: Classifier | Estimator, rows: pd.DataFrame, task: Task) -> Tensor:
    """Return the log probabilities of a teacher for rows, in the order of the classes.

    Args:
        teacher: The teacher.
        rows: The rows, with the columns that it was trained on.
        task: The kind of label and the classes; the teacher must know the same classes.

    Shape:
        - output: ``(N, C)``

    Raises:
        InputError: The teacher has other classes, or cannot read the rows.
    """
    if isinstance(teacher, Classifier):
        known: Sequence[Label] = teacher.task.classes
        probs: NDArray[np.float64] = teacher.predict_proba(rows)
    else:
        known = list(teacher.classes_)
        columns = getattr(teacher, "feature_names_in_", None)
        inputs = rows.drop(columns=[task.target], errors="ignore")
        try:
            probs = np.asarray(
                teacher.predict_proba(inputs if columns is None else rows[list(columns)])
            )
        except (KeyError, ValueError, TypeError) as error:
            line = str(error).strip().partition("\n")[0]
            raise InputError(
                f"teacher must be able to read the training rows, but {type(teacher).__name__} "
                f"says: {line}."
            ) from error
    order = places_of_classes([label_of(one) for one in known], task, subject="teacher")
    return torch.from_numpy(probs[:, order].clip(_LEAST_PROB)).log().float()
