"""Standard errors of paired differences, and the paired stratified bootstrap, in NumPy."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
from scipy import sparse

FloatArray = npt.NDArray[np.floating]
IntArray = npt.NDArray[np.integer]
# Random rows that are drawn at once: 8 bytes each, a few times over.
_CELLS_AT_ONCE = 1 << 21


def mean_error(differences: FloatArray) -> float:
    """Return the standard error of the mean of paired differences, in their unit.

    Shape:
        differences (N,) -> ().
    """
    if len(differences) < 2:
        return 0.0
    return float(np.std(differences, ddof=1) / np.sqrt(len(differences)))


def stratified_mean_error(differences: FloatArray, targets: IntArray) -> float:
    """Return the standard error of the mean over classes of each class's mean difference.

    Args:
        differences: Paired differences of the rows.
        targets: Classes of the rows; those without a row do not count.

    Shape:
        differences (N,), targets (N,) -> ().
    """
    classes = np.unique(targets)
    errors = [mean_error(differences[targets == c]) for c in classes]
    return float(np.sqrt(np.sum(np.square(errors))) / len(classes))


def leave_out_values(
    metric: Callable[[FloatArray, IntArray], float],
    probs: FloatArray,
    targets: IntArray,
    *,
    groups: int = 20,
    seed: int = 0,
) -> FloatArray:
    """Return the metric without a first group of rows, without a second, and so on.

    The groups are stratified and depend on `targets`, `groups` and `seed` alone, so that the
    values of two models on the same rows are paired: `jackknife_error` of their difference is
    its standard error, for any smooth metric and at the cost of `groups` evaluations.

    Args:
        metric: Function of probabilities and classes.
        probs: Probabilities of the classes.
        targets: Classes.
        groups: Groups J; fewer where there are fewer rows.
        seed: Seed of the grouping.

    Returns:
        Values of the metric.

    Shape:
        probs (N, C), targets (N,) -> (J,).
    """
    n_rows = len(targets)
    order = np.lexsort((np.random.default_rng(seed).random(n_rows), targets))
    group = np.empty(n_rows, dtype=np.int64)
    group[order] = np.arange(n_rows) % max(1, min(groups, n_rows // 2))
    # The only row of a class always stays: without it many metrics have no value.
    _, inverse, counts = np.unique(targets, return_inverse=True, return_counts=True)
    group[counts[inverse] < 2] = -1
    left_out = np.unique(group[group >= 0])
    return np.array([metric(probs[group != j], targets[group != j]) for j in left_out])


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
        seed: Seed; the same seed yields the same rows however many are drawn at once.

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


def resampled_sums(
    values: FloatArray | sparse.csr_array, targets: IntArray, *, resamples: int, seed: int
) -> npt.NDArray[np.float64]:
    """Return the sums of each column of `values` over stratified resamples of the rows.

    All columns see the same resamples, so that what is computed from them is paired. The rows of
    a resample are counted and the counts multiplied into `values`: no value is ever gathered.

    Args:
        values: A row of figures for each row, dense or sparse.
        targets: Classes, the strata.
        resamples: Resamples R.
        seed: Seed.

    Returns:
        The sums.

    Shape:
        values (N, M), targets (N,) -> (R, M).
    """
    n_rows = len(targets)
    transposed = values.T
    sums = []
    for rows in resampled_rows(targets, resamples=resamples, seed=seed):
        offset = np.arange(len(rows))[:, None] * n_rows
        counts = np.bincount((rows + offset).ravel(), minlength=rows.size)
        sums.append((transposed @ counts.reshape(rows.shape).T.astype(np.float64)).T)
    return np.concatenate(sums)
