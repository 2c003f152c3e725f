"""The diagnosis of saved predictions: the only place that joins the parts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.stats import poisson
from torch import Tensor

from autoloss.diagnosis.calibration import calibration_of, reliability_of
from autoloss.diagnosis.given import Given, given_scores
from autoloss.diagnosis.loss import label_of, loss_of, shown_part
from autoloss.diagnosis.readouts import Reads, readouts_of
from autoloss.diagnosis.shift import MOST_CLASSES
from autoloss.diagnosis.signal import Gradients, gradients_of, parts_of, signal_of
from autoloss.diagnosis.sources import sources_of
from autoloss.diagnosis.suspects import suspects_of
from autoloss.losses import ClassFacts, LossSpec
from autoloss.records.diagnosis import Bits, ClassRow, Diagnosis

# Below this expected count the band of a class is Poisson's, above it the normal's.
_FEW = 10.0
# Standard errors below 0 from which on scores are called inverted.
_SURE = 4.0


def diagnose(
    logits: ArrayLike,
    labels: ArrayLike,
    *,
    loss: str | LossSpec | Mapping[str, Any] = "cross_entropy",
    classes: Sequence[object] | None = None,
    weights: ArrayLike | None = None,
    kind: Literal["logits", "probabilities"] = "logits",
    name: str = "logits",
    seed: int = 0,
) -> Diagnosis:
    """Say what predictions tell about a model and about the loss that trains it.

    Nothing is trained. The rows should be ones that the model was not trained on.

    Args:
        logits: Scores of every class, or the log odds of class 1; probabilities with `kind`.
            Tensors are taken too.
        labels: The true classes, 0 .. C-1.
        loss: The loss whose gradient is shown beside cross-entropy and squared error: a name with
            settings such as ``"focal gamma=3"``, dotted keys or a `LossSpec`.
        classes: Names of the classes; their numbers by default.
        weights: Weights of the rows, in any unit.
        kind: What `logits` are.
        name: What the diagnosis is called.
        seed: Of folds, bootstrap and drawn outcomes.

    Raises:
        InputError: If something is not what it must be.

    Shape:
        logits ``(N, C)`` or ``(N,)``, labels and weights ``(N,)``.

    Examples:
        >>> rng = np.random.default_rng(0)
        >>> logits = rng.normal(size=(500, 3))
        >>> labels = (logits + rng.gumbel(size=(500, 3))).argmax(1)  # calibrated
        >>> diagnose(2 * logits, labels).readouts[1].label  # twice as sure as it should be
        'as given + temperature'
    """
    given = given_scores(logits, labels, kind=kind, weights=weights, classes=classes)
    return diagnosed(given, loss, name=name, seed=seed)


def diagnosed(
    given: Given,
    loss: str | LossSpec | Mapping[str, Any],
    *,
    name: str,
    counts: Sequence[Tensor | ClassFacts] | None = None,
    seed: int = 0,
) -> Diagnosis:
    """Return the diagnosis of checked predictions.

    Args:
        given: The predictions.
        loss: The loss whose gradient is shown.
        name: What was diagnosed.
        counts: What each training knew of the classes; the labels' counts by default.
        seed: Of everything that is drawn.
    """
    whole = loss_of(loss)
    spec, left = shown_part(whole)
    notes = [*given.notes]
    if left:
        notes.append(f"The gradient is shown without {' and '.join(left)}.")
    if counts is None:
        counts = [given.counts.clamp_min(1.0)]
        if spec.prior != "none":
            notes.append(f"{spec.prior} is computed from the counts of these labels.")
    sources, missing = sources_of(given.logits, spec, counts, raw=given.kind == "model")
    if len(given.classes) > MOST_CLASSES:
        notes.append(f"A shift of each class is not fitted to more than {MOST_CLASSES} classes.")
    reads = readouts_of(given, sources, seed=seed)
    wrong = given.log_probs.argmax(-1) != given.targets
    suspects, is_suspect = suspects_of(reads.log_probs(1), given.targets, given.classes, seed=seed)
    gradients = gradients_of(given, _beside(spec), counts)
    signal, saturation = signal_of(gradients, wrong, is_suspect, given.row_weights)
    rows, distance = _classes(given, gradients, wrong)
    best = reads.best
    weight = given.row_weights
    return Diagnosis(
        name=name,
        kind=given.kind,
        rows=given.n_rows,
        effective_rows=float(weight.sum().square() / weight.square().sum()),
        classes=given.classes,
        loss=spec.to_dict(),
        loss_label=label_of(spec),
        error=float((wrong * weight).sum() / weight.sum()),
        log_loss=reads.rows[0].row.log_loss,
        calibration=calibration_of(given, seed=seed),
        reliability=_diagrams(given, reads),
        readouts=tuple(one.row for one in reads.rows),
        best=best,
        class_rows=rows,
        class_distance=distance,
        signal=signal,
        saturation=saturation,
        suspects=suspects,
        bits=_bits(given, reads),
        is_inverted=_is_inverted(given, rows),
        notes=(*notes, *missing),
        version=version("autoloss"),
    )


def _beside(spec: LossSpec) -> tuple[LossSpec, ...]:
    """Return the losses to compare: the one asked for, cross-entropy, squared error."""
    every = (spec, LossSpec("cross_entropy"), LossSpec("brier"))
    return tuple(dict.fromkeys(every))


def _diagrams(given: Given, reads: Reads) -> tuple[Any, ...]:
    """Return the diagram as given, and after the best read-out where that is another."""
    found = [reliability_of(given.log_probs, given, name="as given")]
    if reads.best:
        name = reads.rows[reads.best].row.label
        found.append(reliability_of(reads.log_probs(reads.best), given, name=name))
    return tuple(found)


def _is_inverted(given: Given, rows: Sequence[ClassRow]) -> bool:
    """Return whether the labels' probabilities lie below what each class gets on average.

    By more than chance gives: without any relation, the mean of a row's probability of its label,
    less that of a label drawn from the class shares, is 0. What a class gets on average is taken
    off first, which changes no mean and leaves less noise.
    """
    weight = given.row_weights
    share, mean = (
        torch.tensor(one, dtype=torch.float64)
        for one in ([row.share for row in rows], [row.predicted for row in rows])
    )
    chunks = (torch.split(one, 1 << 16) for one in (given.log_probs, given.targets))
    above = torch.cat(
        [
            (off := log_probs.double().exp() - mean).gather(-1, labels[:, None])[:, 0]
            - off @ share
            for log_probs, labels in zip(*chunks, strict=True)
        ]
    )
    gain = (weight * above).sum() / weight.sum()
    error = (weight * (above - gain)).square().sum().sqrt() / weight.sum()
    return bool(gain < -_SURE * error)


def _classes(
    given: Given, gradients: Gradients, wrong: Tensor
) -> tuple[tuple[ClassRow, ...], float]:
    """Return a row a class, and how far label shares lie from mean probabilities."""
    n_classes, weight = len(given.classes), given.row_weights
    total = torch.zeros(n_classes, dtype=torch.float64)
    noise = torch.zeros_like(total)
    for chunk, own in zip(
        torch.split(given.log_probs, 1 << 16), torch.split(weight, 1 << 16), strict=True
    ):
        probs = chunk.double().exp()
        total += own @ probs
        noise += own.square() @ (probs * (1 - probs))
    mass = weight.sum()
    share, predicted = given.counts / mass, total / mass
    missed = torch.bincount(given.targets, weight * wrong, n_classes) / given.counts
    effective = float(mass.square() / weight.square().sum())
    parts = parts_of(given.classes, given.targets, gradients, weight)
    rows = []
    for k, one in enumerate(parts):
        low, high = _band(float(predicted[k]), float(noise[k].sqrt() / mass), effective)
        rows.append(
            ClassRow(
                name=one.name,
                rows=one.rows,
                share=float(share[k]),
                predicted=float(predicted[k]),
                low=low,
                high=high,
                error=float(missed[k]),
                gradient=one.gradient,
            )
        )
    return tuple(rows), float((share - predicted).abs().sum() / 2)


def _band(mean: float, spread: float, n: float) -> tuple[float, float]:
    """Return where 95 % of the label shares lie that the probabilities would draw."""
    if n * mean < _FEW:
        low, high = (poisson.ppf([0.025, 0.975], n * mean) / n).tolist()
        return low, high
    return max(0.0, mean - 1.96 * spread), min(1.0, mean + 1.96 * spread)


def _bits(given: Given, reads: Reads) -> Bits:
    """Return code lengths of a label."""
    share = given.counts / given.counts.sum()
    entropy = float(-torch.special.xlogy(share, share).sum())
    log_losses = [one.row.log_loss for one in reads.rows]
    prior, found, best = np.array([entropy, log_losses[0], log_losses[reads.best]]) / math.log(2)
    return Bits(prior=float(prior), given=float(found), best=float(best))
