"""The labels of examples as columns of a table: a class, or several columns of 0 and 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autoloss.core.errors import InputError
from autoloss.core.task import MISSING_LABEL

LABEL = "label"
"""The column of the label of an example, and the beginning of the names of several."""


def label_columns(batches: Sequence[NDArray[Any]], label: str) -> pd.DataFrame:
    """Return the labels of batches as columns.

    Args:
        batches: The labels of each batch.
        label: The name of the data in messages.

    Raises:
        InputError: They are neither classes nor rows of 0 and 1, or their shapes differ.
    """
    if len({one.shape[1:] for one in batches}) > 1:
        raise InputError(
            f"{label} must have labels of one shape, a class or a row of 0 and 1 for each example,"
            " but their shapes differ from batch to batch."
        )
    labels = np.concatenate(list(batches))
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim == 1:
        return pd.DataFrame({LABEL: _classes(labels, label)})
    if labels.ndim == 2 and labels.dtype.kind in "bifu":
        answers = labels.astype(np.float64)
        missing = np.isnan(answers) | (answers == MISSING_LABEL)
        if np.isin(answers[~missing], (0.0, 1.0)).all():
            answers[missing] = np.nan
            names = [f"{LABEL} {place}" for place in range(answers.shape[1])]
            return pd.DataFrame(answers, columns=names)
    raise InputError(
        f"{label} must have a class for each example, or a row of 0 and 1 (-100 for missing), but"
        f" got {labels.dtype} of shape {labels.shape[1:]} for each."
    )


def are_one_hot(columns: pd.DataFrame) -> bool:
    """Return whether every row of several labels has a single 1, as classes in that form have."""
    if columns.shape[1] < 2:
        return False
    values = columns.to_numpy(dtype=np.float64)
    # NaN, a missing label, is no 1.
    return bool((values.sum(1) == 1.0).all())


def _classes(labels: NDArray[Any], label: str) -> Any:
    """Return a class for each example, missing where it is -100 or NaN."""
    if labels.dtype.kind not in "iuf":
        return labels
    missing = (labels == MISSING_LABEL) | np.isnan(labels)
    known = labels[~missing]
    if (known != np.round(known)).any():
        raise InputError(
            f"{label} must have classes as labels, but got numbers such as"
            f" {float(known[known != np.round(known)][0]):g}."
        )
    whole = np.where(missing, 0, labels).astype(np.int64)
    if not missing.any():
        return whole
    found = pd.array(whole, dtype="Int64")
    found[missing] = pd.NA
    return found
