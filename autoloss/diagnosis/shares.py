"""The share of each class or label beside its mean probability, with the band of chance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from autoloss.diagnosis.labelled import ItemLabels, LabelledPredictions
from autoloss.diagnosis.signal import Gradients, parts_of
from autoloss.records.diagnosis import ClassRow, RowGroup

# Below this expected count the band of a class is Poisson's, above it the normal's.
_FEW = 10.0
_CHUNK = 1 << 16


def class_rows(
    predictions: LabelledPredictions, gradients: Gradients, wrong: Tensor
) -> tuple[tuple[ClassRow, ...], float]:
    """Return a row per class, and the distance of label shares from mean probabilities."""
    n_classes, weight = len(predictions.classes), predictions.row_weights
    total = torch.zeros(n_classes, dtype=torch.float64)
    noise = torch.zeros_like(total)
    for probs, own, _ in _chunks(predictions):
        total += own @ probs
        noise += own.square() @ (probs * (1 - probs))
    mass = weight.sum()
    share, predicted = predictions.counts / mass, total / mass
    missed = torch.bincount(predictions.targets, weight * wrong, n_classes) / predictions.counts
    effect = _design_effect(predictions, share - predicted)
    spread, effective = (noise * effect).sqrt() / mass, effective_rows(weight) / effect
    parts = parts_of(predictions.classes, predictions.targets, gradients, weight)
    counts = [one.rows for one in parts]
    rows = _rows(parts, counts, share, predicted, spread, effective, missed)
    return rows, float((share - predicted).abs().sum() / 2)


def label_rows(
    predictions: LabelledPredictions, items: ItemLabels, gradients: Gradients, wrong: Tensor
) -> tuple[tuple[ClassRow, ...], float]:
    """Return a row per label, and the mean distance of shares from mean probabilities."""
    n_labels, weight = len(items.names), predictions.row_weights
    probs = predictions.log_probs[:, 1].double().exp()
    yes = (predictions.targets == 1).double()

    def summed(values: Tensor) -> Tensor:
        return torch.bincount(items.numbers, values, n_labels)

    mass, positives = summed(weight), summed(weight * yes)
    share, predicted = positives / mass, summed(weight * probs) / mass
    spread = summed(weight.square() * probs * (1 - probs)).sqrt() / mass
    effective = mass.square() / summed(weight.square())
    missed = summed(weight * yes * wrong) / positives
    counts = torch.bincount(items.numbers[yes > 0], minlength=n_labels).tolist()
    parts = parts_of(items.names, items.numbers, gradients, weight)
    every = _rows(parts, counts, share, predicted, spread, effective, missed)
    rows = tuple(row for row, one in zip(every, parts, strict=True) if one.rows)
    return rows, float(np.mean([abs(row.share - row.predicted) for row in rows]))


def _rows(
    parts: Sequence[RowGroup],
    counts: Sequence[int],
    share: Tensor,
    predicted: Tensor,
    spread: Tensor,
    effective: Tensor,
    missed: Tensor,
) -> tuple[ClassRow, ...]:
    """Return a row for each class or label.

    Args:
        parts: Their shares of the gradient.
        counts: The rows of each class, or with each label.
        share: Share of each.
        predicted: Mean probability of each.
        spread: Standard error of each share if the probabilities were right.
        effective: The number of rows that count for each share.
        missed: The share of the rows of each that are predicted as another.

    Shape:
        share, predicted, spread, effective and missed (C,).
    """
    rows = []
    for k, (one, count) in enumerate(zip(parts, counts, strict=True)):
        low, high = _band(float(predicted[k]), float(spread[k]), float(effective[k]))
        rows.append(
            ClassRow(
                name=one.name,
                rows=count,
                share=float(share[k]),
                predicted=float(predicted[k]),
                low=low,
                high=high,
                error=float(missed[k]),
                gradient=one.gradient,
            )
        )
    return tuple(rows)


def _chunks(predictions: LabelledPredictions) -> Iterator[tuple[Tensor, Tensor, slice]]:
    """Yield the probabilities, weights and places of some rows, (n, C) and (n,), float64."""
    weight = predictions.row_weights
    for start in range(0, predictions.n_rows, _CHUNK):
        own = slice(start, start + _CHUNK)
        yield predictions.log_probs[own].double().exp(), weight[own], own


def _design_effect(predictions: LabelledPredictions, gap: Tensor) -> Tensor:
    """Return by how much clusters raise the variance of each class's share, (C,), at least 1.

    It is the variance of the summed residuals, labels less probabilities, by clusters over that of
    independent rows.

    Args:
        predictions: Predictions and labels.
        gap: Share less mean probability of each class, the mean residual.

    Shape:
        gap (C,).
    """
    if predictions.clusters is None:
        return torch.ones_like(gap)
    index = torch.unique(predictions.clusters, return_inverse=True)[1]
    sums = torch.zeros(int(index.max()) + 1, len(gap), dtype=torch.float64)
    alone = torch.zeros_like(gap)
    for probs, weight, own in _chunks(predictions):
        off = functional.one_hot(predictions.targets[own], len(gap)) - probs - gap
        off *= weight[:, None]
        sums.index_add_(0, index[own], off)
        alone += off.square().sum(0)
    count, rows = len(sums), predictions.n_rows
    if count == 1:
        # A single cluster tells nothing of its spread.
        return torch.full_like(gap, rows)
    spread = sums.square().sum(0) * count / (count - 1)
    return (spread / (alone * rows / (rows - 1)).clamp_min(1e-300)).clamp_min(1.0)


def _band(mean: float, spread: float, n: float) -> tuple[float, float]:
    """Return the band of 95 % of the label shares if the probabilities were right."""
    if n * mean < _FEW:
        # Loading it takes a while.
        from scipy.stats import poisson

        low, high = (poisson.ppf([0.025, 0.975], n * mean) / n).clip(max=1.0).tolist()
        return low, high
    return max(0.0, mean - 1.96 * spread), min(1.0, mean + 1.96 * spread)


def effective_rows(weight: Tensor) -> float:
    """Return the effective number of rows of weights ``(N,)``."""
    return float(weight.sum().square() / weight.square().sum())
