"""The mean of several calibrated models, and the temperature that calibrates it as a whole."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

FloatArray = NDArray[np.floating]
IntArray = NDArray[np.integer]
# The gain of tables that were measured (reports/quality) and its spread. It decides where few rows
# were held out by several trainings; its tails are heavy, so that clear evidence decides alone.
TYPICAL_GAIN, _SPREAD = 0.1, 0.1
_GRID = np.linspace(-3.0, 3.0, 25)


def mean_log_probs(
    members: Tensor, *, log_shares: Tensor | None = None, temperature: Tensor | float = 1.0
) -> Tensor:
    """Return the mean of the members' probabilities at a temperature, as log probabilities.

    ``softmax(log(sum_r share_r * p_r) / T)``

    Args:
        members: Log probabilities of each member.
        log_shares: Logarithm of each member's share; None for equal shares.
        temperature: T; at 1 the mean stays as it is.

    Shape:
        members (R, N, C), log_shares (R,) -> (N, C).
    """
    if log_shares is None:
        mean = members.logsumexp(0) - math.log(len(members))
    else:
        mean = (members + log_shares[:, None, None]).logsumexp(0)
    if isinstance(temperature, float) and temperature == 1.0:
        return mean
    return (mean / temperature).log_softmax(-1)


@dataclass(frozen=True)
class MeanTemperature:
    """The temperature of the mean of m trainings, ``log T = start - gain * (1 - 1 / m)``.

    Each training is calibrated by itself, so a mean of one needs no temperature, and the mean of
    more is less certain than it should be by the share of their spread that it has averaged out.

    Args:
        gain: By how much the logarithm falls from one training to many.
        start: The logarithm for one training: 0 for a single calibrated model, another value for
            a blend of several.
    """

    gain: float = 0.0
    start: float = 0.0

    def of(self, count: int) -> float:
        """Return the temperature of the mean of so many trainings."""
        return float(self._of(np.asarray(count)))

    def calibrated(self, log_probs: FloatArray, counts: IntArray) -> FloatArray:
        """Return the means of some trainings of each row at their temperatures.

        Args:
            log_probs: Log probabilities of the means.
            counts: How many trainings each row has the mean of.

        Shape:
            log_probs (N, C), counts (N,) -> (N, C).
        """
        found: FloatArray = _normalised(log_probs / self._of(counts)[:, None])
        return found

    def _of(self, counts: IntArray) -> FloatArray:
        found: FloatArray = np.exp(self.start - self.gain * (1.0 - 1.0 / counts))
        return found


def fit_mean_temperature(
    log_probs: FloatArray, targets: IntArray, counts: IntArray, *, start: float = 0.0
) -> MeanTemperature:
    """Fit the gain of means of held-out predictions by the highest posterior probability.

    Rows that a single training held out decide nothing. Without others, the gain is that of most
    tables (a Cauchy prior).

    Args:
        log_probs: Log probabilities of the means.
        targets: Classes of the rows.
        counts: How many trainings held out each row.
        start: As in `MeanTemperature`.

    Shape:
        log_probs (N, C), targets (N,), counts (N,).
    """
    several = counts > 1
    rows, own, held = log_probs[several], targets[several], counts[several]

    def cost(gain: float) -> float:
        found = MeanTemperature(gain, start).calibrated(rows, held)
        prior = np.log1p(((gain - TYPICAL_GAIN) / _SPREAD) ** 2)
        return float(prior - found[np.arange(len(own)), own].sum())

    return MeanTemperature(_lowest(cost) if several.any() else TYPICAL_GAIN, start)


def fit_start(log_probs: FloatArray, targets: IntArray) -> float:
    """Return the log temperature with the lowest log loss on these rows, near 0 on few rows.

    Shape:
        log_probs (N, C), targets (N,).
    """

    def cost(start: float) -> float:
        found = _normalised(log_probs / np.exp(start))
        prior = np.log1p((start / _SPREAD) ** 2)
        return float(prior - found[np.arange(len(targets)), targets].sum())

    return _lowest(cost)


def _lowest(cost: Callable[[float], float]) -> float:
    """Return the place of the lowest cost: the best of a grid, then refined around it."""
    # Loaded late, because a prediction needs none of it.
    from scipy.optimize import minimize_scalar

    place, step = min(map(float, _GRID), key=cost), float(_GRID[1] - _GRID[0])
    found = minimize_scalar(cost, bounds=(place - step, place + step), method="bounded")
    return float(found.x)


def _normalised(scores: FloatArray) -> FloatArray:
    found: FloatArray = torch.from_numpy(np.asarray(scores)).double().log_softmax(-1).numpy()
    return found
