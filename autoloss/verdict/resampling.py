"""Standard errors and the bootstrap of paired differences, by rows or clusters, in NumPy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from autoloss.verdict.units import units_of

FloatArray = npt.NDArray[np.floating]
IntArray = npt.NDArray[np.integer]
# Row numbers drawn at once, 8 bytes each, a few times over.
_CELLS_AT_ONCE = 1 << 21


def mean_error(differences: FloatArray, clusters: npt.NDArray[Any] | None = None) -> float:
    """Return the standard error of the mean of paired differences, in their unit.

    Args:
        differences: Paired differences of the rows.
        clusters: The cluster of each row; rows of the same cluster are not independent.

    Shape:
        differences (N,), clusters (N,) -> ().
    """
    if clusters is not None:
        one = np.zeros(len(differences), dtype=np.int64)
        return stratified_mean_error(differences, one, clusters=clusters)
    if len(differences) < 2:
        return 0.0
    return float(np.std(differences, ddof=1) / np.sqrt(len(differences)))


def stratified_mean_error(
    differences: FloatArray, targets: IntArray, *, clusters: npt.NDArray[Any] | None = None
) -> float:
    """Return the standard error of the mean of the classes' mean differences.

    A class with a single unit has no measurable spread and adds nothing.

    Args:
        differences: Paired differences of the rows.
        targets: Classes of the rows; classes without rows do not count.
        clusters: The cluster of each row; rows of a cluster are not independent, whatever their
            class.

    Shape:
        differences (N,), targets (N,), clusters (N,) -> ().
    """
    if not len(differences):
        return 0.0
    units = units_of(targets, clusters)
    _, own, rows = np.unique(targets, return_inverse=True, return_counts=True)
    mean = np.bincount(own, weights=differences) / rows
    held = np.bincount(units.classes_of(own), minlength=len(rows))
    scale = np.sqrt(held / np.maximum(held - 1.0, 1.0)) / (rows * len(rows))
    parts = np.bincount(units.of_row, weights=(differences - mean[own]) * scale[own])
    return float(np.sqrt(np.sum(np.square(parts))))


def leave_out_values(
    metric: Callable[[npt.NDArray[Any], IntArray], float],
    values: npt.NDArray[Any],
    targets: IntArray,
    *,
    groups: int = 20,
    seed: int = 0,
    clusters: npt.NDArray[Any] | None = None,
) -> FloatArray:
    """Return the metric with each group of rows left out in turn.

    The groups are stratified and depend on `targets`, `groups` and `seed` alone, so that the
    values of two models on the same rows are paired: `jackknife_error` of their difference is
    its standard error, for any smooth metric and at the cost of `groups` evaluations.

    Args:
        metric: Function of the values and classes of some rows.
        values: The values of the rows, such as probabilities of the classes, or their numbers.
        targets: Classes.
        groups: Groups J; fewer if there are fewer rows.
        seed: Seed of the grouping.
        clusters: The cluster of each row; the rows of one are left out together.

    Returns:
        Values of the metric.

    Shape:
        values (N, ...), targets (N,), clusters (N,) -> (J,).
    """
    units = units_of(targets, clusters)
    order = np.lexsort((np.random.default_rng(seed).random(units.count), units.strata))
    group_of = np.empty(units.count, dtype=np.int64)
    group_of[order] = np.arange(units.count) % max(1, min(groups, units.count // 2))
    # A class's only unit always stays, because many metrics have no value without it.
    _, own = np.unique(targets, return_inverse=True)
    is_only = np.bincount(units.classes_of(own)) < 2
    group_of[units.of_row[is_only[own]]] = -1
    group = group_of[units.of_row]
    left_out = np.unique(group[group >= 0])
    return np.array([metric(values[group != j], targets[group != j]) for j in left_out])


def jackknife_error(differences: FloatArray) -> float:
    """Return the delete-a-group jackknife standard error of paired differences.

    Shape:
        differences (J,) -> ().
    """
    groups = len(differences)
    if groups < 2:
        return 0.0
    return float(np.sqrt((groups - 1) * np.var(differences)))


def resampled_rows(
    targets: IntArray, *, resamples: int, seed: int
) -> Iterator[npt.NDArray[np.int64]]:
    """Yield stratified resamples of the rows: each class keeps its number of rows.

    Args:
        targets: Classes of the rows.
        resamples: Resamples R.
        seed: Seed; the number of rows drawn at once does not change the result.

    Yields:
        Row numbers of some resamples, at most about two million of them at once.

    Shape:
        targets (N,) -> (r, N), r summing to R.
    """
    order = np.argsort(targets, kind="stable")
    _, first, inverse, counts = np.unique(
        targets[order], return_index=True, return_inverse=True, return_counts=True
    )
    start, size = first[inverse], counts[inverse]
    rng = np.random.default_rng(seed)
    step = max(1, _CELLS_AT_ONCE // max(1, len(targets)))
    for done in range(0, resamples, step):
        uniform = rng.random((min(step, resamples - done), len(targets)))
        uniform *= size
        yield order[start + uniform.astype(np.int64)]


def resamples_of(
    targets: IntArray,
    *,
    resamples: int,
    seed: int,
    clusters: npt.NDArray[Any] | None = None,
) -> Iterator[npt.NDArray[np.int64]]:
    """Yield the row numbers of each resample of rows or of whole clusters.

    If clusters differ in size, so do the resamples.

    Args:
        targets: Classes of the rows.
        resamples: Resamples R.
        seed: Seed.
        clusters: The cluster of each row; None for rows drawn one by one.

    Shape:
        targets (N,), clusters (N,) -> R times (n,).
    """
    units = units_of(targets, clusters)
    for some in resampled_rows(units.strata, resamples=resamples, seed=seed):
        for drawn in some:
            if units.is_clustered:
                times = np.bincount(drawn, minlength=units.count)[units.of_row]
                yield np.repeat(np.arange(len(targets)), times)
            else:
                yield drawn


def resampled_sums(
    values: FloatArray | sparse.csr_array | Sequence[FloatArray | sparse.csr_array],
    targets: IntArray,
    *,
    resamples: int,
    seed: int,
    clusters: npt.NDArray[Any] | None = None,
) -> npt.NDArray[np.float64]:
    """Return the sums of each column of `values` over resamples of the rows or clusters.

    All columns share the resamples, so that figures computed from them are paired. It counts the
    rows of a resample and multiplies `values` by the counts, without gathering values.

    Args:
        values: A row of figures for each row, dense or sparse; or several such tables, whose
            columns follow each other.
        targets: Classes, the strata.
        resamples: Resamples R.
        seed: Seed.
        clusters: The cluster of each row, drawn whole; None for rows drawn one by one.

    Returns:
        The sums.

    Shape:
        values (N, M), targets (N,), clusters (N,) -> (R, M).
    """
    units = units_of(targets, clusters)
    parts = [values] if isinstance(values, np.ndarray | sparse.csr_array) else list(values)
    if units.is_clustered:
        ones = np.ones(len(targets))
        place = (units.of_row, np.arange(len(targets)))
        member = sparse.csr_array((ones, place), shape=(units.count, len(targets)))
        # Table by table, because all of them together take several times the memory.
        parts = [member @ part for part in parts]
    n_rows = units.count
    every = (
        parts[0]
        if len(parts) == 1
        else sparse.hstack(list(map(sparse.csr_array, parts)), format="csr")
    )
    transposed = every.T
    sums = []
    for rows in resampled_rows(units.strata, resamples=resamples, seed=seed):
        offset = np.arange(len(rows))[:, None] * n_rows
        counts = np.bincount((rows + offset).ravel(), minlength=rows.size)
        sums.append((transposed @ counts.reshape(rows.shape).T.astype(np.float64)).T)
    return np.concatenate(sums)


def resampled_quotients(
    parts: Sequence[FloatArray],
    targets: IntArray,
    *,
    resamples: int,
    seed: int,
    clusters: npt.NDArray[Any] | None = None,
) -> npt.NDArray[np.float64]:
    """Return quotients of sums over resamples of the rows or clusters, 0 where the divisor is 0.

    Args:
        parts: Each row's part in the numerator and the denominator, of each quotient.
        targets: Classes, the strata.
        resamples: Resamples R.
        seed: Seed.
        clusters: The cluster of each row, drawn whole; None for rows drawn one by one.

    Shape:
        parts each (N, 2), targets (N,), clusters (N,) -> (R, number of quotients).
    """
    sums = resampled_sums(
        np.concatenate(parts, 1), targets, resamples=resamples, seed=seed, clusters=clusters
    )
    below = sums[:, 1::2]
    return np.divide(sums[:, ::2], below, out=np.zeros_like(below), where=below > 0)
