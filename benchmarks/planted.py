"""Predictions with a known difference in error, against the stated power of the verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from autoloss.verdict.confirm import ASSUMED_DISAGREEMENT, Shipped, confirm, detectable_difference

Figures = dict[str, Any]
TIMES_DETECTABLE = (0.0, 1.0, 1.352, 1.535)
# Threshold of one test of three by Holm's rule, as in `detectable_difference`.
NORMAL = float(stats.norm.isf(0.05 / 6.0))


@dataclass(frozen=True)
class Planted:
    """Predictions of two models for two classes with a known true difference in error.

    The models are right or wrong together, with calibrated confidence, except on a share
    `disagreement` of the rows. There exactly one model is right, more often the challenger, and
    `margin` is the log-odds of the decisions: near 0 the models differ in neither log loss nor
    calibration; with 1 both scores differ as the error does.
    """

    n_rows: int
    difference: float
    disagreement: float
    margin: float

    def draw(self, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return log probabilities of challenger and baseline, and the classes."""
        draw = np.random.default_rng([2, seed])
        targets = draw.integers(0, 2, self.n_rows)
        # Two models never have exactly the same confidence.
        sure = np.abs(draw.normal(2.5, 1.0, self.n_rows))[:, None] + 0.3 * draw.normal(
            size=(self.n_rows, 2)
        )
        right = draw.random(self.n_rows) < 1.0 / (1.0 + np.exp(-sure.mean(axis=1)))
        both = np.where(right, 1.0, -1.0)[:, None] * np.abs(sure)
        split = draw.random(self.n_rows) < self.disagreement
        wins = draw.random(self.n_rows) < (1.0 + self.difference / self.disagreement) / 2.0
        apart = self.margin * np.where(wins[:, None], [1.0, -1.0], [-1.0, 1.0])
        of_true = np.where(split[:, None], apart, both)
        challenger, baseline = (_log_probs(own, targets) for own in of_true.T)
        return challenger, baseline, targets


def _log_probs(log_odds: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return log probabilities (N, 2) from the log-odds of the true class (N,)."""
    found = np.empty((len(targets), 2))
    rows = np.arange(len(targets))
    found[rows, targets] = -np.logaddexp(0.0, -log_odds)
    found[rows, 1 - targets] = -np.logaddexp(0.0, log_odds)
    return found


def mcnemar_power(n_rows: int, difference: float, disagreement: float, level: float) -> float:
    """Return the power of McNemar's exact test to show a gain at a two-sided level."""
    share = (1.0 + difference / disagreement) / 2.0
    counts = np.arange(n_rows + 1)
    chances = stats.binom.pmf(counts, n_rows, disagreement)
    power = 0.0
    for count in counts[chances > 1e-12]:
        # The largest number of losses at which the gain is still significant.
        most = stats.binom.ppf(level / 2.0, count, 0.5)
        most -= 2.0 * stats.binom.cdf(most, count, 0.5) > level
        power += chances[count] * float(stats.binom.cdf(most, count, 1.0 - share))
    return float(power)


def planted_differences(repetitions: int, *, n_rows: int = 2000) -> Figures:
    """Compare the share of "better" with the stated power."""
    rate = ASSUMED_DISAGREEMENT
    detectable = detectable_difference(n_rows, disagreement=rate)
    rows = []
    for times in TIMES_DETECTABLE:
        row: Figures = {"difference": round(times * detectable, 4), "times detectable": times}
        row["stated"] = round(float(stats.norm.sf(NORMAL * (1.0 - times))), 3)
        row["McNemar, one test"] = round(mcnemar_power(n_rows, times * detectable, rate, 0.05), 3)
        row["McNemar, Holm of three"] = round(
            mcnemar_power(n_rows, times * detectable, rate, 0.05 / 3.0), 3
        )
        for name, margin in (("error alone", 0.02), ("log loss too", 1.0)):
            planted = Planted(n_rows, times * detectable, rate, margin)
            row[name] = round(_share_better(planted, repetitions), 3)
        rows.append(row)
        print(row, flush=True)
    return {"repetitions": repetitions, "rows": n_rows, "table": rows}


def _share_better(planted: Planted, repetitions: int) -> float:
    found = 0
    for seed in range(repetitions):
        challenger, baseline, targets = planted.draw(seed)
        verdict = confirm(
            Shipped(1, "planted", challenger), Shipped(0, "cross_entropy", baseline), targets,
            primary="error", seed=seed,
        )  # fmt: skip
        found += verdict.decision == "better"
    return found / repetitions
