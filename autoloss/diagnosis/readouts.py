"""The gain of other read-outs of the same scores, cross-fitted, with its interval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from autoloss.diagnosis.labelled import LabelledPredictions
from autoloss.diagnosis.shift import MOST_CLASSES, fit_shift
from autoloss.losses.numerics import log_softmax
from autoloss.readout import fold_numbers
from autoloss.readout.crossfit import crossfit
from autoloss.readout.table import make_table
from autoloss.readout.temperature import tolerance
from autoloss.records.diagnosis import ReadoutName, ReadoutRow

RESAMPLES = 2000
# Groups of rows that are resampled whole, which gives the same interval of a mean.
_GROUPS = 2000
_BLOCK = 1 << 20


@dataclass(frozen=True, eq=False)
class CrossFit:
    """A read-out of scores, fitted for each fold on all other folds.

    Args:
        scores: The scores, ``(N, C)``.
        fold_betas: Inverse temperature of each fold, ``(F,)``.
        fold_shifts: Shift of each class in each fold, ``(F, C)``; None for none.
    """

    scores: Tensor
    fold_betas: Tensor
    fold_shifts: Tensor | None = None

    def log_probs(self, folds: Tensor) -> Tensor:
        """Return the log probabilities of all rows, ``(N, C)``.

        They are mixed with a uniform distribution of weight ``1 / (N + 1)``, which bounds the log
        loss of every row.

        Args:
            folds: Fold of each row, ``(N,)``.
        """
        mix = 1 / (len(folds) + 1)
        found = torch.empty_like(self.scores)
        for block in _blocks(self.scores):
            scores, fold = self.scores[block], folds[block]
            scores = scores - scores.amax(-1, keepdim=True)
            scores = scores * self.fold_betas[fold, None].to(scores.dtype)
            if self.fold_shifts is not None:
                scores = scores + self.fold_shifts[fold].to(scores.dtype)
            probs = log_softmax(scores).exp()
            found[block] = probs.mul_(1 - mix).add_(mix / scores.shape[-1]).log_()
        return found


@dataclass(frozen=True, eq=False)
class FittedReadouts:
    """All read-outs of the same rows; the first is the unchanged predictions.

    Args:
        rows: Gain and parameters of each read-out.
        fits: The same read-outs, fitted.
        folds: Fold of each row, ``(N,)``.
        best: Index of the best; a later one must have a significantly lower log loss.
    """

    rows: tuple[ReadoutRow, ...]
    fits: tuple[CrossFit, ...]
    folds: Tensor
    best: int

    def log_probs(self, number: int) -> Tensor:
        """Return the cross-fitted log probabilities of one read-out, ``(N, C)``."""
        fit = self.fits[number]
        return fit.log_probs(self.folds) if number else fit.scores


def readouts_of(
    predictions: LabelledPredictions,
    sources: Mapping[ReadoutName, Tensor],
    *,
    seed: int = 0,
    folds: int = 5,
) -> FittedReadouts:
    """Fit every read-out and estimate its gain over the predictions as given.

    Args:
        predictions: Predictions and labels.
        sources: Other scores of the same rows, ``(N, C)`` each, by name.
        seed: Seed of the folds and of the bootstrap.
        folds: Number of folds.
    """
    fold = fold_numbers(predictions.targets, n_folds=folds, seed=seed, groups=predictions.clusters)
    comparison = _Comparison(predictions, fold, seed)
    no_log_beta, no_betas = torch.zeros((), dtype=torch.float64), torch.ones(folds)
    has_shift = len(predictions.classes) <= MOST_CLASSES
    for name, scores in {"as given": predictions.log_probs, **sources}.items():
        log_beta, betas = _temperatures(scores, predictions, fold)
        if name != "as given":
            comparison.add(name, log_beta=no_log_beta, fit=CrossFit(scores, no_betas))
        comparison.add(name, log_beta=log_beta, fit=CrossFit(scores, betas))
        if name == "as given" and has_shift:
            comparison.add_shift(scores, log_beta=no_log_beta, betas=no_betas)
            comparison.add_shift(scores, log_beta=log_beta, betas=betas)
    return FittedReadouts(tuple(comparison.rows), tuple(comparison.fits), fold, comparison.best)


class _Comparison:
    """Read-outs beside the predictions as given, by log loss on the same resampled rows."""

    def __init__(self, predictions: LabelledPredictions, folds: Tensor, seed: int) -> None:
        self._predictions, self._folds = predictions, folds
        self._bootstrap = _Bootstrap(predictions.row_weights, seed, predictions.clusters)
        self._as_given = self._best_cost = self._cost(predictions.log_probs)
        as_given = self._bootstrap.mean(self._as_given)
        self.rows = [ReadoutRow("as given", False, as_given, 0.0, 0.0, 0.0)]
        self.fits = [CrossFit(predictions.log_probs, torch.ones(int(folds.max()) + 1))]
        self.best = 0

    def add_shift(self, scores: Tensor, *, log_beta: Tensor, betas: Tensor) -> None:
        """Fit and add a shift of each class at given temperatures."""
        targets, weight = self._predictions.targets, self._predictions.row_weights
        shift, fold_shifts = fit_shift(scores, betas[self._folds], targets, weight, self._folds)
        fit = CrossFit(scores, betas, fold_shifts)
        self.add("prior shift", log_beta=log_beta, fit=fit, shift=shift)

    def add(
        self, name: ReadoutName, *, log_beta: Tensor, fit: CrossFit, shift: Tensor | None = None
    ) -> None:
        """Add a read-out; `log_beta` and `shift` are fitted on all rows."""
        cost = self._cost(fit.log_probs(self._folds))
        low, high = self._bootstrap.interval(self._as_given - cost)
        self.rows.append(
            ReadoutRow(
                name=name,
                has_temperature=bool((log_beta != 0).any()),
                log_loss=self._bootstrap.mean(cost),
                gain=self._bootstrap.mean(self._as_given - cost),
                low=low,
                high=high,
                temperature=float((-log_beta).exp()),
                shift=() if shift is None else tuple((shift - shift.mean()).tolist()),
                is_flat=_is_flat(fit.scores, log_beta),
            )
        )
        self.fits.append(fit)
        if self._bootstrap.interval(self._best_cost - cost)[0] > 0:
            self.best, self._best_cost = len(self.rows) - 1, cost

    def _cost(self, log_probs: Tensor) -> Tensor:
        """Return the log loss of each row, ``(N,)``, float64."""
        return -log_probs.gather(-1, self._predictions.targets[:, None])[:, 0].double()


def _is_flat(scores: Tensor, log_beta: Tensor) -> bool:
    """Return whether scores divided by a temperature differ by less than a thousandth."""
    apart = (scores.amax(-1) - scores.amin(-1)).amax().double()
    return bool(apart * log_beta.exp() < 1e-3)


def _temperatures(
    scores: Tensor, predictions: LabelledPredictions, folds: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the log inverse temperature of all rows, and the inverse of each fold's."""
    table = make_table(
        [scores[None]],
        predictions.targets,
        folds,
        n_folds=int(folds.max()) + 1,
        weights=predictions.weights,
    )
    start = torch.zeros(1, dtype=torch.float64)
    log_beta, fold_log_beta = crossfit(table, start, tol=tolerance(scores.dtype))
    return log_beta[0], fold_log_beta[0].exp()


def _blocks(scores: Tensor) -> list[slice]:
    step = max(64, _BLOCK // scores.shape[-1])
    return [slice(first, first + step) for first in range(0, len(scores), step)]


class _Bootstrap:
    """A bootstrap of weighted means, with the same resampled rows for all of them.

    Args:
        weight: Weights of the rows, ``(N,)``.
        seed: Seed of the draws.
        clusters: Numbers of rows that are drawn together, ``(N,)``; None for none.
    """

    def __init__(self, weight: Tensor, seed: int, clusters: Tensor | None = None) -> None:
        generator = torch.Generator().manual_seed(seed)
        own = None if clusters is None else torch.unique(clusters, return_inverse=True)[1]
        n = len(weight) if own is None else int(own.max()) + 1
        self.weight = weight
        self.n_groups = min(n, _GROUPS)
        # Random groups of equal size.
        group = torch.randperm(n, generator=generator) % self.n_groups
        self.group = group if own is None else group[own]
        drawn = torch.randint(self.n_groups, (RESAMPLES, self.n_groups), generator=generator)
        drawn += self.n_groups * torch.arange(RESAMPLES)[:, None]
        times = torch.bincount(drawn.flatten(), minlength=RESAMPLES * self.n_groups)
        self.times = times.view(RESAMPLES, self.n_groups).double()
        self.mass = self.times @ self._summed(weight)

    def mean(self, values: Tensor) -> float:
        """Return the weighted mean of values, ``(N,)``."""
        return float((values * self.weight).sum() / self.weight.sum())

    def interval(self, values: Tensor) -> tuple[float, float]:
        """Return the 95 % interval of the weighted mean of values, ``(N,)``."""
        # Drawn rows of total weight 0 have no mean.
        means = self.times @ self._summed(values * self.weight) / self.mass
        ends = means[means.isfinite()].quantile(torch.tensor([0.025, 0.975]).double())
        return float(ends[0]), float(ends[1])

    def _summed(self, values: Tensor) -> Tensor:
        return torch.bincount(self.group, values, self.n_groups)
