"""Compares two models on the same rows: differences, bootstrap intervals and p-values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy import sparse, special

from autoloss.core.errors import InputError
from autoloss.metrics import balanced_scores
from autoloss.metrics.calibration import equal_mass
from autoloss.records import Comparison
from autoloss.verdict.named_metric import NamedMetric
from autoloss.verdict.paired import PairedTest, two_sided
from autoloss.verdict.resampling import (
    FloatArray,
    IntArray,
    resampled_quotients,
    resampled_sums,
    resamples_of,
)
from autoloss.verdict.units import units_of

CALIBRATION = "debiased_calibration_error"
_BINS = 15
# The metrics that are means over the rows, and their columns in `RowFigures`.
_MEANS = {"error": "wrong", "log_loss": "log_loss", "brier": "brier"}
_ROWS_AT_ONCE = 1 << 16


def standard_error(one: Comparison) -> float:
    """Return the standard error of a difference, from the width of its 95 % interval."""
    return float((one.high - one.low) / (2.0 * special.ndtri(0.975)))


@dataclass(frozen=True, eq=False)
class RowFigures:
    """The figures of a model on each row; all (N,)."""

    wrong: FloatArray
    balanced_wrong: FloatArray
    log_loss: FloatArray
    brier: FloatArray
    confidence: FloatArray


def row_figures(
    log_probs: FloatArray, targets: IntArray, *, class_counts: IntArray | None = None
) -> RowFigures:
    """Return errors, log loss in nats, Brier (sum over classes) and confidence of each row.

    Balanced error judges the class whose probability is highest relative to its share of the
    training rows, and never a class without training rows; without the counts it judges the most
    probable class.

    Shape:
        log_probs (N, C), targets (N,), class_counts (C,) -> RowFigures of (N,).
    """
    counts = torch.ones(log_probs.shape[1]) if class_counts is None else torch.tensor(class_counts)
    columns = []
    for start in range(0, len(targets), _ROWS_AT_ONCE):
        part = np.ascontiguousarray(log_probs[start : start + _ROWS_AT_ONCE], dtype=np.float64)
        target = targets[start : start + _ROWS_AT_ONCE]
        own = part[np.arange(len(part)), target]
        probs = np.exp(part)
        brier = 1.0 - 2.0 * np.exp(own) + np.einsum("nc,nc->n", probs, probs)
        wrong = part.argmax(axis=1) != target
        balanced = balanced_scores(torch.from_numpy(part), counts).numpy().argmax(axis=1) != target
        columns.append(np.stack([wrong, balanced, -own, brier, probs.max(axis=1)]))
    return RowFigures(*np.concatenate(columns, axis=1))


def compare(
    challenger: FloatArray,
    baseline: FloatArray,
    targets: IntArray,
    *,
    metric: NamedMetric | None = None,
    beside: Sequence[NamedMetric] = (),
    class_counts: IntArray | None = None,
    clusters: npt.NDArray[Any] | None = None,
    resamples: int = 2000,
    seed: int = 0,
) -> dict[str, PairedTest]:
    """Compare two models in error, log loss, calibration, balanced error, Brier and a metric.

    A paired bootstrap serves the first five. It draws rows stratified by class, or whole
    clusters if rows share clusters. The p-value of the error is McNemar's exact p-value if no two
    rows share a cluster; all other p-values come from the bootstrap.

    Args:
        challenger: Log probabilities of the challenger as it ships.
        baseline: Log probabilities of tuned cross-entropy as it ships.
        targets: Classes of the rows.
        metric: A further metric, such as the study's.
        beside: Still further metrics.
        class_counts: Training rows of each class, for the decisions of the balanced error.
        clusters: The cluster of each row; None for independent rows.
        resamples: Resamples R.
        seed: Seed.

    Returns:
        Comparisons with their p-values, by name of the metric.

    Shape:
        challenger (N, C), baseline (N, C), targets (N,), clusters (N,).
    """
    one, other = (
        row_figures(log_probs, targets, class_counts=class_counts)
        for log_probs in (challenger, baseline)
    )
    bins = sparse.hstack([_bin_columns(one), _bin_columns(other)], format="csr")
    drawn, of_bins = _resampled(
        one, other, bins, targets, resamples=resamples, seed=seed, clusters=clusters
    )
    units = units_of(targets, clusters)
    means = [_means(figures, targets) for figures in (one, other)]
    tested = {
        name: _tested(name, value, means[1][name], drawn[name], widening=units.widening)
        for name, value in means[0].items()
    }
    if not units.is_clustered:
        exact = mcnemar(one.wrong, other.wrong)
        tested["error"] = replace(tested["error"], p_value=exact)
    whole = np.asarray(bins.sum(axis=0))
    tested[CALIBRATION] = _calibration(whole, of_bins, widening=units.widening)
    figures = (challenger, baseline, targets)
    for more in (*([] if metric is None else [metric]), *beside):
        if more.name not in tested:
            tested[more.name] = compare_metric(
                more, *figures, clusters=clusters, resamples=resamples, seed=seed
            )
    return tested


def compare_metric(
    metric: NamedMetric,
    challenger: FloatArray,
    baseline: FloatArray,
    targets: IntArray,
    *,
    clusters: npt.NDArray[Any] | None = None,
    resamples: int = 2000,
    seed: int = 0,
) -> PairedTest:
    """Compare two models in any metric of probabilities and classes.

    Every resample computes it again, so above 5 000 rows there are fewer resamples, down to 200.
    A metric of which no bootstrap of rows serves has the interval of its paired training runs, or
    none without them.

    Raises:
        InputError: If the metric is not finite on these rows.

    Shape:
        challenger (N, C), baseline (N, C), targets (N,), clusters (N,).
    """
    if metric.paired is not None:
        return metric.paired
    resamples = int(np.clip(10_000_000 // len(targets), min(200, resamples), resamples))
    both = np.exp(challenger), np.exp(baseline)

    def values(rows: IntArray | slice) -> list[float]:
        some = metric.among(rows)
        return [float(some.fn(probs[rows], targets[rows])) for probs in both]

    one, other = values(slice(None))
    if metric.is_of_trainings:
        lower = metric.lower_is_better
        return PairedTest(Comparison(metric.name, other, one, math.nan, math.nan, lower), 1.0)
    parts = [metric.quotient(probs, targets) for probs in both]
    known = [part for part in parts if part is not None]
    if len(known) == len(both):
        how: dict[str, Any] = {"resamples": resamples, "seed": seed, "clusters": clusters}
        drawn = resampled_quotients(known, targets, **how)
    else:
        some = resamples_of(targets, resamples=resamples, seed=seed, clusters=clusters)
        drawn = np.array([values(rows) for rows in some])
    differences = drawn[:, 0] - drawn[:, 1]
    differences = differences[np.isfinite(differences)]
    if not np.isfinite([one, other]).all() or not len(differences):
        figures = f"{metric.name}={one} and {other}"
        raise InputError(f"The metric must be finite on the test rows, but got {figures}.")
    return _tested(
        metric.name,
        one,
        other,
        differences,
        widening=units_of(targets, clusters).widening,
        lower_is_better=metric.lower_is_better,
    )


def mcnemar(wrong: FloatArray, other: FloatArray) -> float:
    """Return the exact two-sided p-value of McNemar's test, 1 if the two never differ.

    Shape:
        wrong (N,), other (N,) -> ().
    """
    # Loading it takes a while, and a search needs it at its end.
    from scipy import stats

    only_one = int(np.sum(wrong > other))
    differ = int(np.sum(wrong != other))
    return float(stats.binomtest(only_one, differ, 0.5).pvalue) if differ else 1.0


def holm(p_values: FloatArray) -> FloatArray:
    """Return p-values corrected by Holm's step-down rule.

    Examples:
        >>> holm(np.array([0.01, 0.04, 0.03])).round(3).tolist()
        [0.03, 0.06, 0.06]

    Shape:
        p_values (M,) -> (M,).
    """
    order = np.argsort(p_values, kind="stable")
    factors = len(p_values) - np.arange(len(p_values))
    corrected = np.empty(len(p_values))
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(p_values[order] * factors))
    return corrected


def interval_of_one(difference: float) -> tuple[float, float]:
    """Return an interval for a difference of unknown spread: from 0 to twice the difference.

    It covers zero, so that nothing follows from it, and it is finite.
    """
    return min(0.0, 2.0 * difference), max(0.0, 2.0 * difference)


def _tested(
    name: str,
    one: float,
    other: float,
    drawn: FloatArray,
    *,
    widening: float,
    lower_is_better: bool = True,
) -> PairedTest:
    """Return the comparison of two values from their resampled differences."""
    difference = float(one - other)
    if np.isfinite(widening):
        drawn = difference + widening * (drawn - difference)
        low, high = map(float, np.quantile(drawn, [0.025, 0.975]))
        p_value = two_sided(drawn)
    else:
        (low, high), p_value, drawn = interval_of_one(difference), 1.0, np.empty(0)
    figures = Comparison(
        metric=name,
        baseline=float(other),
        challenger=float(one),
        low=low,
        high=high,
        lower_is_better=lower_is_better,
    )
    return PairedTest(figures, p_value, drawn)


def _means(figures: RowFigures, targets: IntArray) -> dict[str, float]:
    """Return the metrics of a model that are means over the rows or over the classes."""
    per_class = np.bincount(_codes(targets))
    share = len(targets) / (len(per_class) * per_class[_codes(targets)])
    means = {name: getattr(figures, field).mean() for name, field in _MEANS.items()}
    return {"balanced_error": (share * figures.balanced_wrong).mean(), **means}


def _resampled(
    one: RowFigures,
    other: RowFigures,
    bins: sparse.csr_array,
    targets: IntArray,
    *,
    resamples: int,
    seed: int,
    clusters: npt.NDArray[Any] | None,
) -> tuple[dict[str, FloatArray], FloatArray]:
    """Return by metric the differences of R resamples, and the sums in their bins: (R, 6 bins)."""
    means = np.stack([getattr(one, name) - getattr(other, name) for name in _MEANS.values()], 1)
    member = _members(targets)
    missed = member.multiply((one.balanced_wrong - other.balanced_wrong)[:, None])
    every = [sparse.csr_array(means), member, sparse.csr_array(missed), bins]
    sums = resampled_sums(every, targets, resamples=resamples, seed=seed, clusters=clusters)
    ends = np.cumsum([len(_MEANS), member.shape[1], member.shape[1]])
    of_means, rows, of_missed, of_bins = np.split(sums, ends, axis=1)
    drawn = dict(zip(_MEANS, (of_means / rows.sum(axis=1, keepdims=True)).T, strict=True))
    # A class without drawn rows does not count, as in the metric.
    drawn["balanced_error"] = np.sum(of_missed / np.maximum(rows, 1.0), axis=1)
    drawn["balanced_error"] /= np.sum(rows > 0.0, axis=1)
    return drawn, of_bins


def _codes(targets: IntArray) -> IntArray:
    """Return the index of each row's class among the classes with rows."""
    # Faster than sorting the rows.
    return (np.cumsum(np.bincount(targets) > 0) - 1)[targets]


def _members(targets: IntArray) -> sparse.csr_array:
    """Return the indicator matrix of rows and classes, without empty classes: (N, classes)."""
    rows = np.arange(len(targets))
    return sparse.csr_array((np.ones(len(targets)), (rows, _codes(targets))))


def _bin_columns(figures: RowFigures) -> sparse.csr_array:
    """Return columns that sum to rows, gap and correct rows of each bin: (N, 3 bins)."""
    n_rows, bins = len(figures.wrong), _BINS
    own = equal_mass(torch.from_numpy(figures.confidence)[None], bins)[0].numpy()
    correct = 1.0 - figures.wrong
    values = np.stack([np.ones(n_rows), correct - figures.confidence, correct], axis=1)
    columns = own[:, None] + bins * np.arange(3)
    start = np.arange(0, 3 * n_rows + 1, 3)
    return sparse.csr_array((values.ravel(), columns.ravel(), start), shape=(n_rows, 3 * bins))


def _calibration(whole: FloatArray, resampled: FloatArray, *, widening: float) -> PairedTest:
    """Compare two debiased squared calibration errors from the sums in their bins.

    Every resample uses the bins of the whole sample. For a resample the sample is the truth, whose
    calibration error is the plain error, not the debiased error; the differences are shifted by
    the gap between the two.
    """
    (one, plain), (other, other_plain) = (
        _squared_errors(half) for half in np.split(whole[None], 2, axis=1)
    )
    (ones, _), (others, _) = (_squared_errors(half) for half in np.split(resampled, 2, axis=1))
    move = (one - other) - (plain - other_plain)
    return _tested(CALIBRATION, one[0], other[0], ones - others + move, widening=widening)


def _squared_errors(sums: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the squared calibration error without and with its bias: (R, 3 bins) -> (R,), (R,).

    Debiased: ``sum_b n_b / n * (gap_b ** 2 - a_b * (1 - a_b) / (n_b - 1))``.
    """
    rows, gap, correct = np.split(sums, 3, axis=1)
    rows_or_one = np.maximum(rows, 1.0)
    accuracy = correct / rows_or_one
    plain = np.square(gap / rows_or_one)
    bias = accuracy * (1.0 - accuracy) / np.maximum(rows - 1.0, 1.0)
    weight = rows / rows.sum(axis=1, keepdims=True)
    return np.sum(weight * (plain - bias), axis=1), np.sum(weight * plain, axis=1)
