"""Predictions of the tags of sequences: each tagged token is diagnosed as a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from autoloss.core.errors import InputError
from autoloss.data.messages import plural
from autoloss.diagnosis.labelled import LabelledPredictions, as_array, checked_predictions
from autoloss.diagnosis.suspects import placed
from autoloss.losses.guards import MISSING
from autoloss.records.diagnosis import Kind, Suspects


def has_sequences(scores: Any) -> bool:
    """Return whether scores belong to sequences: a list of tables, or padded sequences."""
    if isinstance(scores, list | tuple) and len(scores):
        return as_array(scores[0]).ndim == 2
    return getattr(scores, "ndim", 0) == 3


def checked_tags(
    scores: Any,
    labels: Any,
    *,
    kind: Kind,
    lengths: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    classes: Sequence[object] | NDArray[Any] | None = None,
    where: str = "",
) -> LabelledPredictions:
    """Check logits or probabilities of the tokens of sequences.

    Args:
        scores: Of each sequence a table, or sequences padded to one length, ``(N, T, C)``; with
            `lengths` the tokens of all, one sequence after the other, ``(S, C)``.
        labels: The tags 0 .. C-1 in the same form; -1, -100 and NaN for pads and missing tags.
        kind: ``"logits"`` or ``"probabilities"``.
        lengths: The tokens of each sequence, ``(N,)``.
        weights: Weights of the sequences, ``(N,)``, in any unit.
        classes: Names of the C tags; their numbers by default.
        where: Prefix of messages, such as ``"FILE: "``.

    Raises:
        InputError: If an argument is invalid.

    Shape:
        a list of N tables ``(T_n, C)``, with a list of N tags ``(T_n,)``.
    """
    name = "logits" if kind == "logits" else "probs"
    table, tags, sizes = _joined(scores, labels, lengths, name, where)
    missing = np.isin(tags, MISSING)
    if tags.dtype.kind == "f":
        missing |= np.isnan(tags)
    known = ~missing
    sequence = np.repeat(np.arange(len(sizes)), sizes)
    place = np.arange(len(tags)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    own = None if weights is None else as_array(weights)
    if own is not None and own.shape == (len(sizes),):
        own = own[sequence[known]]
    found = checked_predictions(
        table[known], tags[known], kind=kind, weights=own, classes=classes, where=where
    )
    return of_tokens(found, sequence[known], place[known])


def of_tokens(
    found: LabelledPredictions, sequence: NDArray[np.int64], place: NDArray[np.int64]
) -> LabelledPredictions:
    """Return predictions with the sequence of each token and its place there, ``(N,)`` each."""
    note = (
        f"Each of {plural(len(place), 'tagged token')} of"
        f" {plural(len(np.unique(sequence)), 'sequence')} counts as a row. Intervals and chance"
        " levels resample whole sequences, because tokens of a sequence are not independent."
    )
    return replace(
        found,
        clusters=torch.from_numpy(sequence),
        places=torch.from_numpy(place),
        notes=(*found.notes, note),
    )


def suspects_of_tokens(suspects: Suspects, predictions: LabelledPredictions) -> Suspects:
    """Return suspect tags with their sequences as rows, and their places there."""
    if predictions.places is None or predictions.clusters is None:
        return suspects
    places, clusters = predictions.places, predictions.clusters
    return placed(suspects, clusters, lambda item: f"token {int(places[item])}")


def _joined(
    scores: Any, labels: Any, lengths: ArrayLike | None, name: str, where: str
) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.int64]]:
    """Return the scores and tags of all tokens, and the tokens of each sequence."""
    if lengths is not None:
        table, tags, sizes = as_array(scores), as_array(labels), as_array(lengths)
        if table.ndim != 2 or sizes.ndim != 1 or sizes.dtype.kind not in "iu" or (sizes < 0).any():
            raise InputError(
                f"{where}lengths must be the tokens of each sequence, (N,), beside {name} of all"
                f" tokens, (tokens, C), but got {sizes.shape} of {sizes.dtype} and {table.shape}."
            )
        if sizes.sum() != len(table) or tags.shape != table.shape[:1]:
            raise InputError(
                f"{where}lengths must sum to the rows of {name} and of labels, but sum to"
                f" {int(sizes.sum()):,} for {len(table):,} and {tags.shape}."
            )
        return table, tags, sizes.astype(np.int64)
    each, of_each = [as_array(one) for one in scores], [as_array(one) for one in labels]
    if len(each) != len(of_each):
        raise InputError(
            f"{where}labels must have the tags of each of {len(each):,} sequences, but has"
            f" {len(of_each):,}."
        )
    for number, (one, tags) in enumerate(zip(each, of_each, strict=True)):
        if one.ndim != 2 or tags.shape != one.shape[:1] or one.shape[1] != each[0].shape[1]:
            raise InputError(
                f"{where}{name} and labels must have a row of {each[0].shape[-1]} scores and a tag"
                f" for each token, but those of sequence {number} have {one.shape} and"
                f" {tags.shape}."
            )
    sizes = np.array([len(one) for one in each], dtype=np.int64)
    return np.concatenate(each), np.concatenate(of_each), sizes
