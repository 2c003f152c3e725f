"""Diagnoses predictions: joins calibration, read-outs, gradients and suspect labels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from autoloss.core.errors import InputError
from autoloss.diagnosis.calibration import calibration_of, reliability_of
from autoloss.diagnosis.labelled import (
    ItemLabels,
    LabelledPredictions,
    checked_predictions,
    checked_scores,
)
from autoloss.diagnosis.loss import determined_part, label_of, loss_of
from autoloss.diagnosis.ood import strangers_of
from autoloss.diagnosis.readouts import FittedReadouts, readouts_of
from autoloss.diagnosis.several import checked_labels, has_several
from autoloss.diagnosis.shares import class_rows, effective_rows, label_rows
from autoloss.diagnosis.shift import MOST_CLASSES
from autoloss.diagnosis.signal import gradients_of, signal_of
from autoloss.diagnosis.sources import sources_of
from autoloss.diagnosis.suspects import placed, suspects_of
from autoloss.diagnosis.tokens import checked_tags, has_sequences, suspects_of_tokens
from autoloss.losses import ClassFacts, LossSpec
from autoloss.records import Reliability
from autoloss.records.diagnosis import Bits, ClassRow, Diagnosis, Suspects

# Scores are inverted if their mean is this many standard errors below 0.
_SURE = 4.0


def diagnose(
    logits: ArrayLike,
    labels: ArrayLike,
    *,
    loss: str | LossSpec | Mapping[str, Any] = "cross_entropy",
    classes: Sequence[object] | None = None,
    weights: ArrayLike | None = None,
    kind: Literal["logits", "probabilities"] = "logits",
    ood: ArrayLike | None = None,
    name: str = "logits",
    seed: int = 0,
) -> Diagnosis:
    """Diagnose a model, and the loss that trains it, from predictions and labels.

    Nothing is trained. The rows should be held out from the training of the model.

    Args:
        logits: Array or tensor of the scores of every class, or of the log odds of class 1, or of
            the log odds of each of several labels; for sequences a table for each, or one of
            padded sequences; probabilities if `kind` says so.
        labels: The true classes, 0 .. C-1; for several labels a row 1, 0, and -1, -100 or NaN
            where a label is missing; for sequences the tags in the form of `logits`, -1 or -100
            for pads and missing tags.
        loss: The loss whose gradient is shown beside cross-entropy and squared error: a name with
            settings such as ``"focal gamma=3"``, dotted keys or a `LossSpec`.
        classes: Names of the classes, or of several labels; their numbers by default.
        weights: Weights of the rows or sequences, in any unit.
        kind: Whether `logits` are logits or probabilities.
        ood: The same predictions for out-of-distribution (OOD) rows; they show how well each
            score separates them from these rows.
        name: Name of the diagnosis.
        seed: Seed of the folds, the bootstrap and drawn outcomes.

    Raises:
        InputError: If an argument is invalid.

    Shape:
        logits ``(N, C)`` or ``(N,)``, labels and weights ``(N,)``, ood ``(M, C)`` or
        ``(M,)``; several labels a row: logits and labels ``(N, L)``; sequences: N tables
        ``(T_n, C)`` and N tags ``(T_n,)``, or ``(N, T, C)`` and ``(N, T)``.

    Examples:
        >>> rng = np.random.default_rng(0)
        >>> logits = rng.normal(size=(500, 3))
        >>> labels = (logits + rng.gumbel(size=(500, 3))).argmax(1)  # calibrated
        >>> diagnose(2 * logits, labels).readouts[1].label  # logits twice too large
        'as given + temperature'
    """
    strange = None if ood is None else checked_scores(ood, kind=kind, where="ood: ")
    if has_sequences(logits):
        predictions = checked_tags(logits, labels, kind=kind, weights=weights, classes=classes)
        return diagnosed(predictions, loss, name=name, strange=strange, seed=seed)
    check = checked_labels if has_several(logits, labels) else checked_predictions
    predictions = check(logits, labels, kind=kind, weights=weights, classes=classes)
    return diagnosed(predictions, loss, name=name, strange=strange, seed=seed)


def diagnosed(
    predictions: LabelledPredictions,
    loss: str | LossSpec | Mapping[str, Any],
    *,
    name: str,
    counts: Sequence[Tensor | ClassFacts] | None = None,
    strange: Tensor | None = None,
    seed: int = 0,
) -> Diagnosis:
    """Return the diagnosis of checked predictions.

    Args:
        predictions: Predictions and labels.
        loss: The loss whose gradient is shown.
        name: Name of the diagnosis.
        counts: Class counts or facts of each training run; the counts of the labels by default.
        strange: Logits of each training run for OOD rows, or log probabilities, ``(R, M, C)``.
        seed: Seed of all draws.
    """
    spec, dropped = determined_part(loss_of(loss))
    _check_clusters(predictions, name)
    notes = [*predictions.notes]
    if dropped:
        notes.append(f"The gradient is that of the loss without {' and '.join(dropped)}.")
    if predictions.items is not None and spec.prior != "none":
        raise InputError(
            "loss must be without a prior for several labels per row, whose counts differ, but "
            f"got prior={spec.prior!r}: diagnose one label at a time."
        )
    if counts is None and spec.prior != "none":
        notes.append(f"{spec.prior} uses the class counts of these labels.")
    if len(predictions.classes) > MOST_CLASSES:
        notes.append(f"A shift per class is not fitted to more than {MOST_CLASSES} classes.")
    counts = counts or [predictions.counts.clamp_min(1.0)]
    is_model, weight = predictions.kind == "model", predictions.row_weights
    sources, missing = sources_of(predictions.logits, spec, counts, raw=is_model)
    readouts = readouts_of(predictions, sources, seed=seed)
    wrong = predictions.log_probs.argmax(-1) != predictions.targets
    suspects, is_suspect = suspects_of(
        readouts.log_probs(1), predictions.targets, predictions.classes, seed=seed
    )
    suspects = suspects_of_tokens(_of_labels(suspects, predictions.items), predictions)
    gradients = gradients_of(predictions, _compared(spec), counts)
    signal, saturation = signal_of(gradients, wrong, is_suspect, weight)
    rows, distance = class_rows(predictions, gradients, wrong)
    is_inverted = _is_inverted(predictions, rows)
    if predictions.items is not None:
        rows, distance = label_rows(predictions, predictions.items, gradients, wrong)
    return Diagnosis(
        name=name,
        kind=predictions.kind,
        rows=predictions.n_rows,
        effective_rows=effective_rows(weight),
        classes=predictions.classes,
        labels=() if predictions.items is None else predictions.items.names,
        loss=spec.to_dict(),
        loss_label=label_of(spec),
        error=float((wrong * weight).sum() / weight.sum()),
        log_loss=readouts.rows[0].log_loss,
        calibration=calibration_of(predictions, seed=seed),
        reliability=_diagrams(predictions, readouts),
        readouts=readouts.rows,
        best=readouts.best,
        class_rows=rows,
        class_distance=distance,
        signal=signal,
        saturation=saturation,
        suspects=suspects,
        bits=_bits(predictions, readouts),
        is_inverted=is_inverted,
        strangers=None if strange is None else strangers_of(predictions, strange, seed=seed),
        notes=(*notes, *missing),
        version=version("autoloss"),
    )


def _check_clusters(predictions: LabelledPredictions, name: str) -> None:
    """Check that labels that depend on each other are of two rows or sequences, or more."""
    clusters = predictions.clusters
    if clusters is None or bool((clusters != clusters[0]).any()):
        return
    noun = "rows" if predictions.places is None else "sequences"
    raise InputError(
        f"The diagnosis of {name} must have labels of two {noun} or more, because a read-out is "
        f"judged on {noun} that it was not fitted to, but has one."
    )


def _compared(spec: LossSpec) -> tuple[LossSpec, ...]:
    """Return the losses to compare: `spec`, cross-entropy and squared error."""
    every = (spec, LossSpec("cross_entropy"), LossSpec("brier"))
    return tuple(dict.fromkeys(every))


def _diagrams(
    predictions: LabelledPredictions, readouts: FittedReadouts
) -> tuple[Reliability, ...]:
    """Return the diagrams of the predictions as given and, if another, of the best read-out."""
    found = [reliability_of(predictions.log_probs, predictions, name="as given")]
    if readouts.best:
        name = readouts.rows[readouts.best].label
        found.append(reliability_of(readouts.log_probs(readouts.best), predictions, name=name))
    return tuple(found)


def _is_inverted(predictions: LabelledPredictions, rows: Sequence[ClassRow]) -> bool:
    """Return whether the probabilities of the labels lie significantly below chance.

    The statistic is the mean probability of a row's label, less that of a label drawn from the
    class shares: 0 if predictions and labels are independent. Subtracting the mean probability of
    each class first changes no mean and reduces the noise.
    """
    weight = predictions.row_weights
    share, mean = (
        torch.tensor(one, dtype=torch.float64)
        for one in ([row.share for row in rows], [row.predicted for row in rows])
    )
    chunks = (torch.split(one, 1 << 16) for one in (predictions.log_probs, predictions.targets))
    above = torch.cat(
        [
            (off := log_probs.double().exp() - mean).gather(-1, labels[:, None])[:, 0]
            - off @ share
            for log_probs, labels in zip(*chunks, strict=True)
        ]
    )
    gain = (weight * above).sum() / weight.sum()
    off = weight * (above - gain)
    if predictions.clusters is not None:
        off = torch.bincount(predictions.clusters, off)
    error = off.square().sum().sqrt() / weight.sum()
    return bool(gain < -_SURE * error)


def _of_labels(suspects: Suspects, items: ItemLabels | None) -> Suspects:
    """Return suspect labels with their rows, and the names of several labels."""
    if items is None:
        return suspects
    return placed(suspects, items.rows, lambda item: items.names[int(items.numbers[item])])


def _bits(predictions: LabelledPredictions, readouts: FittedReadouts) -> Bits:
    """Return the code lengths of a label."""
    share = predictions.counts / predictions.counts.sum()
    entropy = float(-torch.special.xlogy(share, share).sum())
    log_losses = [one.log_loss for one in readouts.rows]
    prior, found, best = np.array([entropy, log_losses[0], log_losses[readouts.best]]) / math.log(
        2
    )
    return Bits(prior=float(prior), given=float(found), best=float(best))
