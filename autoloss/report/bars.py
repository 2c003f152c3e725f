"""The bars of the comparison: changes relative to tuned cross-entropy, all on one scale."""

from __future__ import annotations

import math
from dataclasses import dataclass

from autoloss.records import Comparison, Summary

# Ends of the scale that are easy to read.
_SCALES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
# It measures a distance from 0 that may be below it: a change relative to it says nothing.
_NO_RATIO = ("debiased_calibration_error",)
_ROWS = 6


@dataclass(frozen=True)
class Bars:
    """The relative changes of a comparison.

    Args:
        scale: The change at both ends of the scale, as a share of tuned cross-entropy's value.
        ends: For each comparison the interval's two ends and the difference between -1 and 1,
            the left of zero better whatever the metric's direction; None if there is none.
    """

    scale: float
    ends: tuple[tuple[float, float, float] | None, ...]

    @property
    def text(self) -> str:
        """Return the end of the scale as a percentage."""
        return f"{100 * self.scale:g}%"


def comparison_bars(summary: Summary) -> Bars:
    """Return the bars of the comparisons that a report shows.

    A metric has one where tuned cross-entropy's value is above 0 and neither the difference nor an
    end of its interval is larger than that value.
    """
    changes = [_changes(one) for one in summary.verdict.comparisons[:_ROWS]]
    largest = max((abs(end) for one in changes if one for end in one), default=0.0)
    scale = next((one for one in _SCALES if one >= largest - 1e-12), 1.0)
    return Bars(
        scale,
        tuple(
            None if one is None else (one[0] / scale, one[1] / scale, one[2] / scale)
            for one in changes
        ),
    )


def _changes(one: Comparison) -> tuple[float, float, float] | None:
    """Return the changes relative to the baseline, or None if they say nothing."""
    if one.metric in _NO_RATIO or not one.baseline > 0.0:
        return None
    sign = 1.0 if one.lower_is_better else -1.0
    ends = [sign * value / one.baseline for value in (one.low, one.high, one.difference)]
    if not all(math.isfinite(end) and abs(end) <= 1.0 for end in ends):
        return None
    low, high = sorted(ends[:2])
    return low, high, ends[2]
