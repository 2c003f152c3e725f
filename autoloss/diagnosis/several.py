"""Predictions of several labels a row: each known label of a row is diagnosed as a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from autoloss.core.errors import InputError
from autoloss.data.messages import listed, plural
from autoloss.diagnosis.labelled import (
    ItemLabels,
    LabelledPredictions,
    as_array,
    checked_predictions,
)
from autoloss.losses.guards import MISSING
from autoloss.records.diagnosis import Kind


def has_several(scores: ArrayLike, labels: ArrayLike) -> bool:
    """Return whether labels are a yes or no for each score, and not one class in a row."""
    found, answers = as_array(scores), as_array(labels)
    if answers.ndim != 2 or answers.shape != found.shape or answers.shape[1] < 2:
        return False
    if answers.dtype.kind not in "fiub":
        return False
    # A single 1 in every row is a class, one-hot.
    is_one_hot = np.isin(answers, (0, 1)).all() and bool((answers.sum(1) == 1).all())
    return not is_one_hot


def checked_labels(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    kind: Kind,
    weights: ArrayLike | None = None,
    classes: Sequence[object] | NDArray[Any] | None = None,
    where: str = "",
) -> LabelledPredictions:
    """Check logits or probabilities of several labels a row.

    Args:
        scores: Logits or probabilities of yes, ``(N, L)``.
        labels: 1 for yes, 0 for no; -1, -100 and NaN where a label is missing, ``(N, L)``.
        kind: ``"logits"`` or ``"probabilities"``.
        weights: Weights of the rows, ``(N,)``, in any unit.
        classes: Names of the L labels; their numbers by default.
        where: Prefix of messages, such as ``"FILE: "``.

    Raises:
        InputError: If an argument is invalid.
    """
    answers = as_array(labels).astype(np.float64)
    answers[np.isin(answers, MISSING)] = np.nan
    known = ~np.isnan(answers)
    wrong = known & ~np.isin(answers, (0.0, 1.0))
    if wrong.any():
        row, label = map(int, np.argwhere(wrong)[0])
        raise InputError(
            f"{where}labels must be 0 or 1, and -1, -100 or NaN where missing, for several labels"
            f" a row, but got labels[{row}, {label}]={answers[row, label]:g}."
        )
    rows, numbers = np.nonzero(known)
    names = _names(classes, answers.shape[1], where)
    own = None if weights is None else as_array(weights)
    if own is not None and own.shape == (len(answers),):
        own = own[rows]
    found = checked_predictions(
        as_array(scores)[known],
        answers[known].astype(np.int64),
        kind=kind,
        weights=own,
        classes=("no", "yes"),
        where=where,
    )
    own_rows = torch.from_numpy(rows)
    of = ItemLabels(names, torch.from_numpy(numbers), own_rows)
    note = counted_note(len(rows), len(answers))
    return replace(found, items=of, clusters=own_rows, notes=(*found.notes, note))


def counted_note(n_items: int, n_rows: int) -> str:
    """Return a note on the rows of a diagnosis of several labels."""
    return (
        f"Each of {plural(n_items, 'known label')} of {plural(n_rows, 'row')} counts as a row."
        " Intervals and chance levels resample whole rows, because labels of a row are not"
        " independent."
    )


def _names(classes: Any, n_labels: int, where: str) -> tuple[str, ...]:
    """Return names of the labels."""
    if classes is None:
        return tuple(map(str, range(n_labels)))
    names = tuple(str(one) for one in as_array(classes).reshape(-1).tolist())
    if len(names) != n_labels or len(set(names)) != n_labels:
        raise InputError(
            f"{where}classes must be {n_labels} different names of labels, but got"
            f" {listed(names)}."
        )
    return names
