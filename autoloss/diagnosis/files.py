"""Reads saved predictions: an .npz archive of logits or probabilities, with labels."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from autoloss.core.arrays import BROKEN, read_arrays
from autoloss.core.errors import InputError
from autoloss.data.messages import listed, one_line
from autoloss.diagnosis.labelled import (
    LabelledPredictions,
    checked_predictions,
    checked_scores,
)
from autoloss.diagnosis.several import checked_labels, has_several
from autoloss.diagnosis.tokens import checked_tags, has_sequences
from autoloss.records.diagnosis import Kind

_KEYS = ("logits", "probs", "labels", "lengths", "weights", "classes")
_HOW = "numpy.savez(FILE, logits=logits, labels=labels) writes one"


def read_scores(file: Path) -> LabelledPredictions:
    """Read a file of `numpy.savez`, without running code from it.

    Keys: ``logits`` or ``probs``; ``labels``; optionally ``weights`` and ``classes``; ``lengths``,
    the tokens of each sequence, for sequences one after the other.

    Raises:
        InputError: If the file is missing, is not such an archive, or has unsuitable content.
    """
    arrays = _arrays(file)
    where = f"{file}: "
    both = [key for key in ("logits", "probs") if key in arrays]
    if len(both) != 1:
        problem = "has neither" if not both else "has both"
        found = f", only {listed(sorted(arrays))}" if arrays and not both else ""
        raise InputError(
            f"{file} must have the key 'logits' or the key 'probs', but {problem}{found}: {_HOW}."
        )
    if "labels" not in arrays:
        raise InputError(
            f"{file} must have the key 'labels', but has {listed(sorted(arrays))}: {_HOW}."
        )
    kind: Kind = "logits" if both[0] == "logits" else "probabilities"
    scores, lengths = arrays[both[0]], arrays.get("lengths")
    shared: dict[str, Any] = {
        "kind": kind,
        "weights": arrays.get("weights"),
        "classes": arrays.get("classes"),
        "where": where,
    }
    if lengths is not None or has_sequences(scores):
        predictions = checked_tags(scores, arrays["labels"], lengths=lengths, **shared)
    elif has_several(scores, arrays["labels"]):
        predictions = checked_labels(scores, arrays["labels"], **shared)
    else:
        predictions = checked_predictions(scores, arrays["labels"], **shared)
    unread = sorted(set(arrays) - set(_KEYS))
    if not unread:
        return predictions
    return replace(
        predictions, notes=(*predictions.notes, f"These keys are ignored: {listed(unread)}.")
    )


def read_strangers(file: Path, kind: Kind) -> Tensor:
    """Read the predictions for OOD rows, in the form of the predictions of a diagnosis.

    Args:
        file: An archive of `numpy.savez` with the key ``logits``, or ``probs``.
        kind: The form of the other predictions.

    Shape:
        result ``(1, M, C)``.

    Raises:
        InputError: If the file is missing, is not such an archive, or has unsuitable content.
    """
    arrays, key = _arrays(file, option="--ood"), "logits" if kind == "logits" else "probs"
    if key not in arrays:
        found = f", but has {listed(sorted(arrays))}" if arrays else ""
        raise InputError(f"{file} must have the key {key!r}, as --logits has{found}.")
    return checked_scores(arrays[key], kind=kind, where=f"{file}: ")


def _arrays(file: Path, *, option: str = "--logits") -> dict[str, NDArray[Any]]:
    """Return the arrays of an archive by key; unknown keys get an empty array, unread."""
    if not file.is_file():
        raise InputError(f"{option} must name a file that exists, but got {str(file)!r}.")
    if not zipfile.is_zipfile(file):
        raise InputError(f"{file} must be an .npz archive, but is not: {_HOW}.")
    try:
        found = read_arrays(file, _KEYS.__contains__)
    except BROKEN as error:
        raise InputError(
            f"{file} must be an .npz archive, but it cannot be read: {one_line(error)}."
        ) from error
    unread: NDArray[Any] = np.empty(0)
    return {key: unread if array is None else array for key, array in found.items()}
