"""A comparison of two models with its p-value and its resamples."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from autoloss.records import Comparison
from autoloss.verdict.resampling import FloatArray


@dataclass(frozen=True, eq=False)
class PairedTest:
    """A comparison with its two-sided p-value, not corrected for other tests.

    Args:
        comparison: The comparison.
        p_value: The p-value.
        drawn: The difference in each resample; empty without resamples. (R,)
    """

    comparison: Comparison
    p_value: float
    drawn: FloatArray = field(default_factory=lambda: np.empty(0), repr=False)

    def less_gain(self, amount: float) -> PairedTest:
        """Return the test with a gain of the challenger less by an amount, at least zero.

        The interval moves with the difference, and the p-value is that of the moved resamples.
        Where the challenger is not ahead, the test stays: a correction never makes a loss.

        Args:
            amount: The amount in the metric's unit, at least 0.
        """
        one = self.comparison
        amount = min(amount, abs(one.difference)) if self.is_gain else 0.0
        if amount == 0.0:
            return self
        step = amount if one.lower_is_better else -amount
        moved = replace(
            one, challenger=one.challenger + step, low=one.low + step, high=one.high + step
        )
        drawn = self.drawn + step
        return PairedTest(moved, two_sided(drawn) if len(drawn) else self.p_value, drawn)

    @property
    def is_gain(self) -> bool:
        """Return whether the challenger is ahead."""
        difference = self.comparison.difference
        return difference < 0.0 if self.comparison.lower_is_better else difference > 0.0


def two_sided(drawn: FloatArray) -> float:
    """Return the two-sided p-value of a difference from its resamples, (R,) -> ()."""
    below, above = np.sum(drawn <= 0.0), np.sum(drawn >= 0.0)
    return float(min(1.0, 2.0 * (min(below, above) + 1) / (len(drawn) + 1)))
