"""The mean of several calibrated models, and the temperature that calibrates it as a whole."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

FloatArray = NDArray[np.floating]
IntArray = NDArray[np.integer]
TYPICAL_GAIN = 0.1
"""The gain where few or no rows were held out by several training runs (reports/quality)."""
_SPREAD = 0.5
"""Standard deviation of the prior of a log temperature, which decides only where rows are few."""
_LEVELS, _GAINS = (-3.0, 3.0), (-2.0, 0.99)
_EVERY = 1 << 20
"""Up to this many rows, each counts by itself; more items of no and yes are summed in cells."""
_CELLS, _END = 256, 60.0
"""Cells for each nat of log odds, and the log odds beyond which they are equal."""


def mean_log_probs(
    members: Tensor | Iterable[Tensor],
    *,
    log_shares: Tensor | None = None,
    temperature: Tensor | float = 1.0,
) -> Tensor:
    """Return the mean of the members' probabilities at a temperature, as log probabilities.

    ``softmax(log(sum_r share_r * p_r) / T)``

    Args:
        members: Log probabilities of each member; members that come one after the other are added
            up, so that only one of them is in memory.
        log_shares: Logarithm of each member's share; None for equal shares.
        temperature: T; at 1 the mean stays as it is.

    Shape:
        members (R, ..., C) or R times (..., C), log_shares (R,) -> (..., C).
    """
    if isinstance(members, Tensor):
        count = len(members)
        if log_shares is not None:
            members = members + log_shares.view(-1, *[1] * (members.ndim - 1))
        mean = members.logsumexp(0)
    else:
        count, mean = _added_up(members, log_shares)
    if log_shares is None:
        mean = mean - math.log(count)
    if isinstance(temperature, float) and temperature == 1.0:
        return mean
    return (mean / temperature).log_softmax(-1)


def _added_up(members: Iterable[Tensor], log_shares: Tensor | None) -> tuple[int, Tensor]:
    """Return the number of members, and the logarithm of the sum of their probabilities."""
    count, total = 0, torch.empty(0)
    for count, member in enumerate(members, start=1):
        own = member
        if log_shares is not None:
            own = member + log_shares[count - 1].reshape([1] * member.ndim)
        total = own if count == 1 else torch.logaddexp(total, own)
    return count, total


@dataclass(frozen=True)
class MeanTemperature:
    """The temperature of a mean of m training runs, ``exp(start) * (1 - gain * (1 - 1 / m))``.

    Each training run is calibrated by itself, so a mean of one needs no temperature, and the mean
    of more is less certain than it should be by the share of their spread that it has averaged
    out. (If the log odds of a training run are those of the best prediction with noise of its own,
    a normal variable with the share `gain` of the whole variance, the formula is exact for the
    mean of log odds.)

    Args:
        gain: By how much the temperature falls from one training run to many, below 1.
        start: The logarithm for one training run: 0 for a single calibrated model, another value
            for a blend of several models.
    """

    gain: float = 0.0
    start: float = 0.0

    def of(self, count: int) -> float:
        """Return the temperature of the mean of a number of training runs."""
        return float(self._of(np.asarray(count)))

    def calibrated(self, log_probs: FloatArray, counts: IntArray) -> FloatArray:
        """Return the means of some training runs of each row at their temperatures.

        Args:
            log_probs: Log probabilities of the means.
            counts: How many training runs each row has the mean of.

        Shape:
            log_probs (N, C), counts (N,) -> (N, C).
        """
        found: FloatArray = _normalised(log_probs / self._of(counts)[:, None])
        return found

    def _of(self, counts: IntArray) -> FloatArray:
        found: FloatArray = np.exp(self.start) * (1.0 - self.gain * (1.0 - 1.0 / counts))
        return found


def fit_mean_temperature(
    single: FloatArray,
    means: FloatArray,
    targets: IntArray,
    place: IntArray,
    *,
    parts: Sequence[FloatArray] = (),
    weights: Sequence[float] = (),
) -> MeanTemperature:
    """Fit the temperature of the mean of several training runs to the rows that each held out.

    Only differences count: the gain is the temperature that the rows choose for single training
    runs less that for the mean of the training runs that held out a row. Single training runs are
    calibrated, so a temperature other than 1 is the luck of these rows, and it cancels. (Over
    tables of 2 000 rows the standard error of a temperature is 0.04, that of the difference
    0.004.) Rows that a single training run held out do not decide the gain.

    Args:
        single: Log probabilities of each training run for each row that it held out.
        means: Log probabilities of the mean of the training runs that held out a row.
        targets: Classes of the rows.
        place: The row of each prediction in `single`.
        parts: The same as `single` of each model of a blend, whose `single` is their weighted
            mean; none for the training runs of one model.
        weights: The weight of each model.

    Shape:
        single and parts (P, C), means (N, C), targets (N,), place (P,).
    """
    counts = np.bincount(place, minlength=len(targets))
    # Each row counts once, by however many training runs it was held out.
    shares, own = 1.0 / counts[place], targets[place]
    start = 0.0
    if parts:
        levels = [_level(one, own, shares) for one in parts]
        start = _level(single, own, shares) - float(np.dot(weights, levels))
    several = counts > 1
    if not several.any():
        return MeanTemperature(TYPICAL_GAIN, start)
    held = several[place]
    level = _level(single[held], own[held], shares[held])

    share = float((1.0 - 1.0 / counts[several]).mean())
    judged = _Judged(means[several], targets[several], None, counts[several]).fewer()

    def cost(gain: float) -> float:
        # The prior of the mean is as wide as that of single training runs, so that it cancels too.
        typical = np.log((1.0 - gain * share) / (1.0 - TYPICAL_GAIN * share))
        prior = 0.5 * ((level + typical) / _SPREAD) ** 2
        return float(prior + judged.loss(MeanTemperature(gain, level)))

    return MeanTemperature(_lowest(cost, _GAINS), start)


@dataclass(frozen=True, eq=False)
class _Judged:
    """Log probabilities of rows with their classes, weights and numbers of training runs.

    Shape:
        log_probs (N, C), targets, weights and counts (N,).
    """

    log_probs: FloatArray
    targets: IntArray
    weights: FloatArray | None
    counts: IntArray

    def loss(self, temperature: MeanTemperature) -> float:
        """Return the summed log loss in nats."""
        found = temperature.calibrated(self.log_probs, self.counts)
        own = found[np.arange(len(found)), self.targets]
        return -float(own.sum() if self.weights is None else self.weights @ own)

    def fewer(self) -> _Judged:
        """Return rows with the same loss to 1e-6 of it, far fewer of them if there are many.

        The log loss of no and yes depends on the log odds of the true class alone. Rows whose log
        odds lie in the same cell become a row with their mean.
        """
        if len(self.targets) <= _EVERY or self.log_probs.shape[1] != 2:
            return self
        n_cells = int(2 * _END * _CELLS) + 1
        kinds = np.flatnonzero(np.bincount(self.counts))
        weight, total = np.zeros((2, n_cells * len(kinds)))
        for first in range(0, len(self.targets), _EVERY):
            block = slice(first, first + _EVERY)
            no, yes = self.log_probs[block].T
            margin = np.subtract(yes, no, dtype=np.float64) * (2 * self.targets[block] - 1)
            margin.clip(-_END, _END, out=margin)
            kind = np.searchsorted(kinds, self.counts[block])
            index = ((margin + _END) * _CELLS).astype(np.int64) + n_cells * kind
            own = np.ones(len(margin)) if self.weights is None else self.weights[block]
            weight += np.bincount(index, own, len(weight))
            total += np.bincount(index, own * margin, len(weight))
        used = np.flatnonzero(weight)
        mean = total[used] / weight[used]
        return _Judged(
            np.stack([np.zeros_like(mean), mean], 1),
            np.ones(len(used), dtype=np.int64),
            weight[used],
            kinds[used // n_cells],
        )


def _level(log_probs: FloatArray, targets: IntArray, shares: FloatArray) -> float:
    """Return the log temperature that some predictions would choose."""
    once = np.broadcast_to(np.int64(1), targets.shape)
    judged = _Judged(log_probs, targets, shares, once).fewer()

    def cost(level: float) -> float:
        return 0.5 * (level / _SPREAD) ** 2 + judged.loss(MeanTemperature(0.0, level))

    return _lowest(cost, _LEVELS)


def _lowest(cost: Callable[[float], float], bounds: tuple[float, float]) -> float:
    """Return the place of the lowest cost."""
    # Loaded late, because a prediction needs none of it.
    from scipy.optimize import minimize_scalar

    options = {"xatol": 1e-4}
    found = minimize_scalar(cost, bounds=bounds, method="bounded", options=options)
    return float(found.x)


def _normalised(scores: FloatArray) -> FloatArray:
    found: FloatArray = torch.from_numpy(np.asarray(scores)).double().log_softmax(-1).numpy()
    return found
