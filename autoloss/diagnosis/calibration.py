"""Calibration errors beside a calibrated model's, and the reliability diagram."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy import sparse
from torch import Tensor
from torch.nn import functional

from autoloss.diagnosis.labelled import LabelledPredictions
from autoloss.metrics import smooth_ece, top_label
from autoloss.metrics.bands import chance_band, independent_rows
from autoloss.metrics.calibration import equal_mass
from autoloss.records import Reliability
from autoloss.records.diagnosis import Calibration, WithNull

BINS = 15
DRAWS = 200
# Up to this many rows, the outcome of every row is drawn; above, the sums over bins, which are
# normal then.
_EXACT_UP_TO = 20_000
_CHUNK = 1 << 20
# Cells of the confidence whose outcomes are drawn together for the smooth error.
_CELLS = 2048


@dataclass(frozen=True)
class _Rows:
    """Confidence, outcome and weight of every row, all ``(N,)``, float64; clusters are numbers."""

    confidence: Tensor
    correct: Tensor
    weight: Tensor
    clusters: Tensor | None


def calibration_of(predictions: LabelledPredictions, *, seed: int = 0) -> Calibration:
    """Return the calibration errors of the predicted class beside their null level.

    Consistency resampling gives the null level: it draws outcomes from the probabilities
    themselves (Bröcker and Smith 2007). Rows count by their weight. Outcomes of a cluster are not
    independent: the residuals of each cluster change together, by a factor that is drawn (the wild
    bootstrap by cluster, Cameron, Gelbach and Miller 2008).

    Args:
        predictions: Predictions and labels.
        seed: Seed of the draws.
    """
    confidence, correct = (
        one[0] for one in top_label(predictions.log_probs[None], predictions.targets)
    )
    rows = _Rows(confidence.clamp(0, 1), correct, predictions.row_weights, predictions.clusters)
    place = torch.bucketize(
        rows.confidence, torch.arange(1, BINS, dtype=torch.float64) / BINS
    ).clamp_max(BINS - 1)
    mass = equal_mass(rows.confidence[None], BINS)[0]
    generator = torch.Generator().manual_seed(seed)
    draw = _drawn_rows if predictions.n_rows <= _EXACT_UP_TO else _drawn_sums
    if rows.clusters is not None:
        draw = _drawn_clusters
    drawn = draw(rows, place, mass, generator)
    found = _errors(rows, place, mass, rows.correct[None])
    ece, smooth, debiased = (
        _with_null(float(value), null) for value, null in zip(found, drawn, strict=True)
    )
    return Calibration(ece=ece, smooth=smooth, debiased=debiased, draws=DRAWS)


def reliability_of(
    log_probs: Tensor, predictions: LabelledPredictions, *, name: str
) -> Reliability:
    """Return the reliability diagram of `metrics.reliability` for weighted rows.

    Args:
        log_probs: Log probabilities, ``(N, C)``.
        predictions: Labels and weights.
        name: Name of the curve.
    """
    confidence, correct = (one[0] for one in top_label(log_probs[None], predictions.targets))
    weight = predictions.row_weights
    index = equal_mass(confidence[None], BINS)[0]

    def summed(values: Tensor) -> Tensor:
        return torch.bincount(index, values, BINS)

    mass = summed(weight)
    is_used = mass > 0
    mass = mass[is_used]
    mean = summed(weight * confidence)[is_used] / mass
    accuracy = summed(weight * correct)[is_used] / mass
    rows = independent_rows(
        correct - confidence, index, BINS, clusters=predictions.clusters, weights=weight
    )
    low, high = chance_band(rows[is_used.numpy()], mean.clamp(0, 1).numpy())
    counts = torch.bincount(index, minlength=BINS)[is_used]
    return Reliability(
        name=name,
        confidence=tuple(mean.tolist()),
        accuracy=tuple(accuracy.tolist()),
        count=tuple(counts.tolist()),
        low=low,
        high=high,
    )


def _with_null(value: float, drawn: Tensor) -> WithNull:
    """Return a value beside its draws from a calibrated model."""
    reached = int((drawn >= value).sum())
    return WithNull(
        value=value,
        null=float(drawn.mean()),
        high=float(np.quantile(drawn.numpy(), 0.95)),
        p_value=(1 + reached) / (1 + len(drawn)),
    )


def _errors(
    rows: _Rows, place: Tensor, mass: Tensor, outcomes: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return ECE, smooth ECE and the debiased error of outcomes ``(D, N)``, each ``(D,)``."""
    n = outcomes.shape[-1]
    gap = (outcomes - rows.confidence) * rows.weight
    ece = (gap @ functional.one_hot(place, BINS).double()).abs().sum(-1) / n
    confidence = rows.confidence.expand_as(gap)
    smooth = smooth_ece(confidence, confidence + gap)
    member = functional.one_hot(mass, BINS).double()
    first = outcomes @ (member * rows.weight[:, None])
    second = outcomes @ (member * rows.weight.square()[:, None])
    return ece, smooth, _debiased(rows, mass, first, second)


def _debiased(rows: _Rows, mass: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Return the debiased squared error from the summed outcomes of each bin.

    Args:
        rows: The rows.
        mass: Bin of each row.
        first: Sum of the weighted outcomes in each bin, ``(D, BINS)``.
        second: The same with squared weights.
    """
    total, squares = (torch.bincount(mass, rows.weight**power, BINS) for power in (1, 2))
    mean = torch.bincount(mass, rows.weight * rows.confidence, BINS) / total.clamp_min(1e-300)
    accuracy = first / total.clamp_min(1e-300)
    effective = total.square() / squares.clamp_min(1e-300)
    # Variance of a weighted mean; a (1 - a) / (n - 1) where all rows count alike.
    spread = second * (1 - 2 * accuracy) + accuracy.square() * squares
    noise = spread / total.square().clamp_min(1e-300)
    noise = noise * effective / (effective - 1).clamp_min(1e-9)
    noise = torch.where(effective > 1 + 1e-9, noise, 0.0)
    return (total * ((accuracy - mean).square() - noise)).sum(-1) / total.sum()


def _drawn_rows(
    rows: _Rows, place: Tensor, mass: Tensor, generator: torch.Generator
) -> tuple[Tensor, ...]:
    """Draw the outcome of every row; return the three errors of each draw."""
    n = len(rows.confidence)
    step = max(1, _CHUNK // n)
    found = []
    for first in range(0, DRAWS, step):
        size = (min(step, DRAWS - first), n)
        drawn = torch.rand(size, generator=generator, dtype=torch.float64) < rows.confidence
        found.append(_errors(rows, place, mass, drawn.double()))
    return tuple(torch.cat(parts) for parts in zip(*found, strict=True))


def _drawn_sums(
    rows: _Rows, place: Tensor, mass: Tensor, generator: torch.Generator
) -> tuple[Tensor, ...]:
    """Draw the sums of outcomes over bins and cells; return the three errors of each draw."""
    n = len(rows.confidence)
    noise = rows.confidence * (1 - rows.confidence)

    def normal(index: Tensor, size: int) -> Tensor:
        """Return weighted outcomes less their expectation, summed over cells, ``(D, size)``."""
        variance = torch.bincount(index, noise * rows.weight.square(), size)
        drawn = torch.randn(DRAWS, size, generator=generator, dtype=torch.float64)
        return drawn * variance.sqrt()

    ece = normal(place, BINS).abs().sum(-1) / n
    cell = _cells(rows)
    smooth = _smooth_of(normal(cell, _CELLS), rows, cell)

    off = normal(mass, BINS)
    first, second, both, square = (
        torch.bincount(mass, values, BINS)
        for values in (
            rows.weight * rows.confidence,
            rows.weight.square() * rows.confidence,
            rows.weight**3 * noise,
            rows.weight.square() * noise,
        )
    )
    # The sum with squared weights, given the other sum: its regression on it.
    follows = off * (both / square.clamp_min(1e-300))
    return ece, smooth, _debiased(rows, mass, first + off, second + follows)


def _drawn_clusters(
    rows: _Rows, place: Tensor, mass: Tensor, generator: torch.Generator
) -> tuple[Tensor, ...]:
    """Draw a factor of the residuals of each cluster; return the three errors of each draw."""
    if rows.clusters is None:
        raise TypeError("Rows must have clusters, but got clusters=None.")
    total = torch.bincount(mass, rows.weight, BINS).clamp_min(1e-300)
    gap = rows.correct - rows.confidence
    # A calibrated model has the residuals of this model without the mean of each bin.
    residual = gap - (torch.bincount(mass, gap * rows.weight, BINS) / total)[mass]
    cell, own = _cells(rows), torch.unique(rows.clusters, return_inverse=True)[1].numpy()
    weighted = (residual * rows.weight).numpy()
    columns = (
        (place, weighted),
        (cell + BINS, weighted),
        (mass + BINS + _CELLS, weighted),
        (mass + 2 * BINS + _CELLS, (residual * rows.weight.square()).numpy()),
    )
    sums = sparse.csr_array(
        (
            np.concatenate([values for _, values in columns]),
            (np.tile(own, len(columns)), np.concatenate([index.numpy() for index, _ in columns])),
        ),
        shape=(int(own.max()) + 1, 3 * BINS + _CELLS),
    )
    drawn = torch.zeros(DRAWS, sums.shape[1], dtype=torch.float64)
    step = _CHUNK // DRAWS
    for first in range(0, sums.shape[0], step):
        some = sums[first : first + step]
        factors = torch.randn(some.shape[0], DRAWS, generator=generator, dtype=torch.float64)
        drawn += torch.from_numpy(some.T @ factors.numpy()).T
    ece, cells, first_off, second_off = torch.split(drawn, [BINS, _CELLS, BINS, BINS], -1)
    expected = (
        torch.bincount(mass, rows.weight**power * rows.confidence, BINS) for power in (1, 2)
    )
    first_sum, second_sum = (
        one + off for one, off in zip(expected, (first_off, second_off), strict=True)
    )
    return (
        ece.abs().sum(-1) / len(residual),
        _smooth_of(cells, rows, cell),
        _debiased(rows, mass, first_sum, second_sum),
    )


def _cells(rows: _Rows) -> Tensor:
    """Return the cell of each row's confidence, ``(N,)``."""
    return (rows.confidence * _CELLS).long().clamp_max(_CELLS - 1)


def _smooth_of(sums: Tensor, rows: _Rows, cell: Tensor) -> Tensor:
    """Return the smooth error of residuals that are summed over cells, ``(D, CELLS) -> (D,)``."""
    rows_of = torch.bincount(cell, minlength=_CELLS).clamp_min(1)
    middle = torch.bincount(cell, rows.confidence, _CELLS) / rows_of
    gaps = sums * (_CELLS / len(cell))
    return torch.cat(
        [smooth_ece(middle.expand_as(part), middle + part) for part in torch.split(gaps, 50)]
    )
