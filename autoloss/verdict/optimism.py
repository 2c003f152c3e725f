"""The optimism of the selection, by a bootstrap of the selection itself."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

from autoloss.metrics.known import mean_of_wrong
from autoloss.records import REFINED_LOG_LOSS, Optimism, PairOptimism, TrialRecord
from autoloss.verdict.baseline import sides, usable
from autoloss.verdict.select import ExampleLosses

FloatArray = npt.NDArray[np.floating]
IntArray = npt.NDArray[np.integer]
# Cells (resamples x rows) in memory at once, 8 bytes each, a few times over.
_CELLS_AT_ONCE = 1 << 21
# Cells (trials x rows) in memory, 5 bytes each, twice.
_MOST_CELLS, _MOST_TRIALS, _FEWEST_TRIALS = 5_000_000, 1_000, 100


def study_optimism(
    trials: Sequence[TrialRecord],
    examples: Mapping[int, ExampleLosses],
    *,
    metric: str = "error",
    targets: IntArray | None = None,
    clusters: IntArray | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Optimism | None:
    """Return the optimism of a study's selection, or None if no trial kept its rows.

    Args:
        trials: The trials of a study, without unusable trials; of very many, the trials with the
            lowest log loss.
        examples: Their losses on the validation rows, by number.
        metric: The study's metric.
        targets: Classes of these rows; (N,).
        clusters: The cluster of each row; (N,).
        resamples: Resamples R.
        seed: Their seed.
    """
    found = _kept(usable(trials, metric), examples)
    if not found:
        return None
    kept, log_loss, wrong = zip(*found, strict=True)
    return selection_optimism(
        np.stack(log_loss),
        np.stack(wrong),
        clusters,
        metric=metric,
        values=np.array([trial.metrics[metric] for trial in kept]),
        targets=targets,
        resamples=resamples,
        seed=seed,
    )


def study_pair_optimism(
    trials: Sequence[TrialRecord],
    examples: Mapping[int, ExampleLosses],
    *,
    metric: str = "error",
    targets: IntArray | None = None,
    clusters: IntArray | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> PairOptimism | None:
    """Return the optimism of a study's challenger against its tuned cross-entropy.

    For the arguments see `study_optimism`; None if a side has no trial that kept its rows.
    """
    plain, others = (_kept(side, examples) for side in sides(usable(trials, metric)))
    if not plain or not others:
        return None
    _, log_loss, wrong = zip(*plain, *others, strict=True)
    return pair_optimism(
        np.stack(log_loss),
        np.stack(wrong),
        np.arange(len(log_loss)) < len(plain),
        clusters,
        metric=metric,
        targets=targets,
        resamples=resamples,
        seed=seed,
    )


def _kept(
    trials: Sequence[TrialRecord], examples: Mapping[int, ExampleLosses]
) -> list[tuple[TrialRecord, FloatArray, npt.NDArray[np.bool_]]]:
    """Return the trials with finite losses on their rows, in order of number.

    Only the best of many trials can win a resample, so the others need no memory.
    """
    done = [t for t in trials if t.number in examples]
    done = sorted(done, key=lambda t: t.metrics[REFINED_LOG_LOSS])[: most_trials(examples, done)]
    rows = [(t, examples[t.number]) for t in sorted(done, key=lambda t: t.number)]
    return [(t, one.log_loss, one.wrong) for t, one in rows if np.isfinite(one.log_loss).all()]


def most_trials(examples: Mapping[int, ExampleLosses], trials: Sequence[TrialRecord]) -> int:
    """Return the number of trials that take part: a thousand, or fewer with very many rows."""
    if not trials:
        return 0
    rows = len(examples[trials[0].number].log_loss)
    return min(_MOST_TRIALS, max(_FEWEST_TRIALS, _MOST_CELLS // max(rows, 1)))


def selection_optimism(
    log_loss: FloatArray,
    wrong: npt.NDArray[np.bool_],
    clusters: IntArray | None = None,
    *,
    metric: str = "error",
    values: FloatArray | None = None,
    targets: IntArray | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Optimism:
    """Return the figures of the trial with the lowest log loss, and honest figures for it.

    Each resample of the clusters selects the trial with the lowest mean log loss on the drawn
    rows, and judges it on the other rows; the honest figures are the means over the resamples. A
    resample has about 63 % of the rows, so its selection is a little worse than the selection on
    all rows, and the honest figures are cautious.

    Args:
        log_loss: Log loss of each trial on each row, in nats, finite.
        wrong: Whether its decision is wrong there.
        clusters: The cluster of each row; by default rows are independent.
        metric: The study's metric. For other metrics than ``"error"`` and ``"balanced_error"``,
            which are means of rows, the honest value is NaN.
        values: The metric of each trial on all rows; by default computed from `wrong`.
        targets: Classes of the rows, without which balanced error has no honest value.
        resamples: Resamples R.
        seed: Their seed.

    Returns:
        The figures; the honest figures are NaN if all rows are one cluster.

    Shape:
        log_loss (T, N), wrong (T, N), clusters (N,), values (T,), targets (N,).

    Source:
        Tsamardinos, Greasidou and Borboudakis 2018, Bootstrapping the out-of-sample predictions
        for efficient and accurate cross-validation, Algorithm 2 (BBC-CV).
    """
    n_trials, n_rows = log_loss.shape
    mean = mean_of_wrong(metric)
    is_of_rows = mean == "rows" or (mean == "classes" and targets is not None)
    units = _Units.of(log_loss, wrong, clusters, _strata(metric, targets, n_rows))
    found = [
        units.judged(held_out, means.argmin(axis=1))
        for held_out, means in _resampled(log_loss, units, resamples=resamples, seed=seed)
    ]
    honest = _finite_mean(np.concatenate(found, axis=1))
    means = log_loss.mean(axis=1, dtype=np.float64)
    best = int(means.argmin())
    seen = units.judged(units.everywhere, np.array([best]))[0, 0]
    return Optimism(
        trials=n_trials,
        metric=float(values[best] if values is not None else seen if is_of_rows else math.nan),
        metric_honest=float(honest[0]) if is_of_rows else math.nan,
        log_loss=float(means[best]),
        log_loss_honest=float(honest[1]),
    )


def pair_optimism(
    log_loss: FloatArray,
    wrong: npt.NDArray[np.bool_],
    is_baseline: npt.NDArray[np.bool_],
    clusters: IntArray | None = None,
    *,
    metric: str = "error",
    targets: IntArray | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> PairOptimism:
    """Return the optimism of the difference between the best trials of two sides.

    Both sides select the trial with the lowest mean log loss. Every resample of the clusters
    repeats both selections, and judges the two trials on the other rows; the optimism is the mean
    difference there less the difference on all rows. An optimism below 0 counts as 0: a correction
    never favours the challenger.

    Args:
        log_loss: Log loss of each trial on each row, in nats, finite.
        wrong: Whether its decision is wrong there.
        is_baseline: Whether a trial is plain cross-entropy.
        clusters: The cluster of each row; by default rows are independent.
        metric: The study's metric; see `selection_optimism`.
        targets: Classes of the rows.
        resamples: Resamples R.
        seed: Their seed.

    Raises:
        ValueError: If a side has no trial.

    Shape:
        log_loss (T, N), wrong (T, N), is_baseline (T,), clusters (N,), targets (N,).

    Source:
        As `selection_optimism`, for a paired difference.
    """
    if is_baseline.all() or not is_baseline.any():
        raise ValueError(
            f"Both sides must have a trial, but got {int(is_baseline.sum())} of "
            f"{len(is_baseline)} trials of cross-entropy."
        )
    sides = [np.flatnonzero(~is_baseline), np.flatnonzero(is_baseline)]
    n_rows = log_loss.shape[1]
    units = _Units.of(log_loss, wrong, clusters, _strata(metric, targets, n_rows))

    def difference(held_out: npt.NDArray[np.bool_], means: FloatArray) -> npt.NDArray[np.float64]:
        one, other = (side[means[:, side].argmin(axis=1)] for side in sides)
        return units.judged(held_out, one) - units.judged(held_out, other)

    resampled = _resampled(log_loss, units, resamples=resamples, seed=seed)
    honest = _finite_mean(np.concatenate([difference(*one) for one in resampled], axis=1))
    seen = difference(units.everywhere, log_loss.mean(axis=1, dtype=np.float64)[None])[:, 0]
    of_metric, of_log_loss = np.maximum(0.0, honest - seen)
    mean = mean_of_wrong(metric)
    is_of_rows = mean == "rows" or (mean == "classes" and targets is not None)
    return PairOptimism(float(of_log_loss), float(of_metric) if is_of_rows else math.nan)


def _strata(metric: str, targets: IntArray | None, n_rows: int) -> IntArray:
    """Return the class of each row over which a metric is a mean, else 0 for all rows, (N,)."""
    is_of_classes = mean_of_wrong(metric) == "classes" and targets is not None
    strata = targets if is_of_classes and targets is not None else np.zeros(n_rows)
    return np.unique(strata, return_inverse=True)[1]


@dataclass(frozen=True, eq=False)
class _Units:
    """The rows of a cluster and a stratum together, as sums; single rows without clusters.

    Args:
        clusters: The cluster of each row, from 0.
        log_loss: The sum of each trial's log loss over the rows of each unit.
        wrong: The number of these rows that it decides wrongly.
        sizes: The number of rows of each unit.
        of_cluster: The cluster of each unit.
        strata: The indicator of the stratum of each unit.

    Shape:
        clusters (N,); log_loss and wrong (T, U); sizes and of_cluster (U,); strata (U, S).
    """

    clusters: IntArray
    log_loss: FloatArray
    wrong: npt.NDArray[Any]
    sizes: FloatArray
    of_cluster: IntArray
    strata: sparse.csr_array

    @classmethod
    def of(
        cls,
        log_loss: FloatArray,
        wrong: npt.NDArray[np.bool_],
        clusters: IntArray | None,
        strata: IntArray,
    ) -> Self:
        """Return the units of rows; for the arguments see `selection_optimism`."""
        n_rows = log_loss.shape[1]
        if clusters is None:
            rows = np.arange(n_rows)
            return cls(rows, log_loss, wrong, np.ones(n_rows), rows, _indicator(strata))
        codes = np.unique(clusters, return_inverse=True)[1]
        n_strata = int(strata.max(initial=0)) + 1
        pairs, unit = np.unique(codes * n_strata + strata, return_inverse=True)
        member = _indicator(unit).astype(np.float64).T
        return cls(
            codes,
            np.ascontiguousarray((member @ log_loss.T).T),
            np.ascontiguousarray((member @ wrong.T.astype(np.float64)).T),
            np.bincount(unit).astype(np.float64),
            pairs // n_strata,
            _indicator(pairs % n_strata),
        )

    @property
    def everywhere(self) -> npt.NDArray[np.bool_]:
        """Return the mask of all units as held out by one resample, (1, U)."""
        return np.ones((1, len(self.sizes)), dtype=bool)

    def judged(self, held_out: npt.NDArray[np.bool_], trials: IntArray) -> npt.NDArray[np.float64]:
        """Return the metric and log loss of each resample's trial on the held-out units.

        Shape:
            held_out (r, U), trials (r,) -> (2, r).
        """
        sizes = np.where(held_out, self.sizes, 0.0)
        rows = sizes.sum(axis=1)
        total = np.where(held_out, self.log_loss[trials], 0.0).sum(axis=1, dtype=np.float64)
        of_class = (self.strata.T @ sizes.T).T
        missed = np.where(held_out, self.wrong[trials], 0.0)
        misses = (self.strata.T @ missed.T).T
        # A class without held-out rows does not count.
        share = np.divide(misses, of_class, out=np.zeros_like(misses), where=of_class > 0)
        present = (of_class > 0).sum(axis=1)
        empty = np.where(rows > 0, 0.0, np.nan)
        metric = share.sum(axis=1) / np.maximum(present, 1) + empty
        return np.stack([metric, total / np.maximum(rows, 1) + empty])


def _resampled(
    log_loss: FloatArray, units: _Units, *, resamples: int, seed: int
) -> Iterator[tuple[npt.NDArray[np.bool_], FloatArray]]:
    """Yield the held-out units (r, U) of r resamples, and every trial's mean elsewhere (r, T)."""
    membership = _indicator(units.clusters)
    sums = np.ascontiguousarray(membership.T @ log_loss.T, dtype=np.float32)
    sizes = np.asarray(membership.sum(axis=0)).ravel()
    rng = np.random.default_rng(seed)
    step = max(1, _CELLS_AT_ONCE // len(units.sizes))
    for done in range(0, resamples, step):
        counts = _drawn(len(sizes), min(step, resamples - done), rng)
        held_out = (counts == 0.0)[:, units.of_cluster]
        yield held_out, (counts @ sums) / (counts @ sizes)[:, None]


def _indicator(codes: IntArray) -> sparse.csr_array:
    """Return the indicator matrix of rows and groups: (N,) -> (N, groups)."""
    n_rows = len(codes)
    ones = np.ones(n_rows, dtype=np.float32)
    return sparse.csr_array((ones, codes, np.arange(n_rows + 1)))


def _drawn(n_clusters: int, count: int, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Return the number of draws of each cluster in each of `count` resamples, (r, G)."""
    drawn = rng.integers(0, n_clusters, size=(count, n_clusters))
    drawn += np.arange(count)[:, None] * n_clusters
    counts = np.bincount(drawn.ravel(), minlength=drawn.size)
    return counts.reshape(drawn.shape).astype(np.float32)


def _finite_mean(figures: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the means over the resamples with held-out rows: (2, R) -> (2,)."""
    whole = figures[:, np.isfinite(figures).all(axis=0)]
    return whole.mean(axis=1) if whole.shape[1] else np.full(len(figures), np.nan)
