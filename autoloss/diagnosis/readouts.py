"""What another way of reading the same scores would gain, cross-fitted and with its interval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from autoloss.diagnosis.given import Given
from autoloss.diagnosis.shift import MOST_CLASSES, fit_shift
from autoloss.losses.numerics import log_softmax
from autoloss.readout import fold_numbers
from autoloss.readout.crossfit import crossfit
from autoloss.readout.table import make_table
from autoloss.readout.temperature import tolerance
from autoloss.records.diagnosis import ReadoutName, ReadoutRow

RESAMPLES = 2000
# Rows are dealt to this many groups, which are resampled whole: the same interval of a mean.
_GROUPS = 2000
_BLOCK = 1 << 20


@dataclass(frozen=True, eq=False)
class Read:
    """Probabilities by one read-out.

    Args:
        row: What it is and gains.
        fold_betas: Inverse temperature of each fold from all others, ``(F,)``.
        fold_shifts: Likewise the shift, ``(F, C)``; None for none.
        scores: The scores, ``(N, C)``.
    """

    row: ReadoutRow
    fold_betas: Tensor
    fold_shifts: Tensor | None
    scores: Tensor


@dataclass(frozen=True, eq=False)
class Reads:
    """All read-outs of the same rows.

    Args:
        rows: As given first.
        folds: Fold of each row, ``(N,)``.
        mix: Weight of the uniform distribution in what is fitted, ``1 / (N + 1)``, so that no row
            costs without bound.
        best: The one to take: a later one only if its log loss is shown lower.
    """

    rows: tuple[Read, ...]
    folds: Tensor
    mix: float
    best: int

    def log_probs(self, number: int) -> Tensor:
        """Return the cross-fitted log probabilities of one read-out, ``(N, C)``."""
        read = self.rows[number]
        if number == 0:
            return read.scores
        found = torch.empty_like(read.scores)
        for block in _blocks(read.scores):
            found[block] = _log_probs(read, self.folds[block], block, self.mix)
        return found


def readouts_of(
    given: Given, sources: Mapping[ReadoutName, Tensor], *, seed: int = 0, folds: int = 5
) -> Reads:
    """Fit every read-out and say what it would gain.

    Args:
        given: The predictions; as they are they come first.
        sources: Other scores of the same rows, ``(N, C)`` each, by name.
        seed: Of the folds and of the bootstrap.
        folds: Number of folds.
    """
    fold = fold_numbers(given.targets, n_folds=folds, seed=seed)
    mix = 1 / (given.n_rows + 1)
    weight = given.row_weights
    as_given = -given.log_probs.gather(-1, given.targets[:, None])[:, 0].double()
    resampled = _Resampled(weight, seed)
    plain = ReadoutRow("as given", False, resampled.mean(as_given), 0.0, 0.0, 0.0)
    rows = [Read(plain, torch.ones(folds), None, given.log_probs)]
    best, best_cost = 0, as_given

    def add(
        name: ReadoutName, scores: Tensor, log_beta: Tensor, betas: Tensor, shifted: bool
    ) -> None:
        nonlocal best, best_cost
        shift, fold_shifts = None, None
        if shifted:
            shift, fold_shifts = fit_shift(scores, betas[fold], given.targets, weight, fold)
        read = Read(plain, betas, fold_shifts, scores)
        cost = torch.cat(
            [
                -_log_probs(read, fold[block], block, mix)
                .gather(-1, given.targets[block, None])[:, 0]
                .double()
                for block in _blocks(scores)
            ]
        )
        low, high = resampled.interval(as_given - cost)
        row = ReadoutRow(
            name=name,
            has_temperature=bool((log_beta != 0).any()),
            log_loss=resampled.mean(cost),
            gain=resampled.mean(as_given - cost),
            low=low,
            high=high,
            temperature=float((-log_beta).exp()),
            shift=() if shift is None else tuple((shift - shift.mean()).tolist()),
            is_flat=_is_flat(scores, log_beta),
        )
        rows.append(Read(row, betas, fold_shifts, scores))
        if resampled.interval(best_cost - cost)[0] > 0:
            best, best_cost = len(rows) - 1, cost

    none = torch.zeros((), dtype=torch.float64)
    is_shiftable = len(given.classes) <= MOST_CLASSES
    for name, scores in {"as given": given.log_probs, **sources}.items():
        log_beta, betas = _temperatures(scores, given, fold)
        if name != "as given":
            add(name, scores, none, torch.ones(folds), False)
        add(name, scores, log_beta, betas, False)
        if name == "as given" and is_shiftable:
            add("prior shift", scores, none, torch.ones(folds), True)
            add("prior shift", scores, log_beta, betas, True)
    return Reads(tuple(rows), fold, mix, best)


def _is_flat(scores: Tensor, log_beta: Tensor) -> bool:
    """Return whether scores are alike to a thousandth once they are divided by a temperature."""
    apart = (scores.amax(-1) - scores.amin(-1)).amax().double()
    return bool(apart * log_beta.exp() < 1e-3)


def _temperatures(scores: Tensor, given: Given, folds: Tensor) -> tuple[Tensor, Tensor]:
    """Return the log inverse temperature of all rows, and the inverse one of each fold."""
    table = make_table(
        [scores[None]],
        given.targets,
        folds,
        n_folds=int(folds.max()) + 1,
        weights=given.weights,
    )
    start = torch.zeros(1, dtype=torch.float64)
    log_beta, fold_log_beta = crossfit(table, start, tol=tolerance(scores.dtype))
    return log_beta[0], fold_log_beta[0].exp()


def _log_probs(read: Read, folds: Tensor, block: slice, mix: float) -> Tensor:
    """Return log probabilities of some rows, each by what was fitted without its fold."""
    scores = read.scores[block]
    scores = scores - scores.amax(-1, keepdim=True)
    scores = scores * read.fold_betas[folds, None].to(scores.dtype)
    if read.fold_shifts is not None:
        scores = scores + read.fold_shifts[folds].to(scores.dtype)
    return log_softmax(scores).exp().mul_(1 - mix).add_(mix / scores.shape[-1]).log_()


def _blocks(scores: Tensor) -> list[slice]:
    step = max(64, _BLOCK // scores.shape[-1])
    return [slice(first, first + step) for first in range(0, len(scores), step)]


class _Resampled:
    """Bootstrap of weighted means, the same resampled rows for each of them."""

    def __init__(self, weight: Tensor, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        n = len(weight)
        self.weight = weight
        self.n_groups = min(n, _GROUPS)
        # Equally full groups, dealt at random.
        self.group = torch.randperm(n, generator=generator) % self.n_groups
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
        # Where all drawn rows weigh nothing there is no mean.
        means = self.times @ self._summed(values * self.weight) / self.mass
        ends = means[means.isfinite()].quantile(torch.tensor([0.025, 0.975]).double())
        return float(ends[0]), float(ends[1])

    def _summed(self, values: Tensor) -> Tensor:
        return torch.bincount(self.group, values, self.n_groups)
