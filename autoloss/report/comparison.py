"""Challenger and tuned cross-entropy side by side: rows of tables, and bars on one scale."""

from __future__ import annotations

import math
from dataclasses import dataclass

from autoloss.records import Comparison, Summary
from autoloss.report.words import (
    difference_text,
    interval_text,
    metric_words,
    reading_text,
    value_text,
)

# Ends of the scale that are easy to read.
_SCALES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
# It measures a distance from 0 that may be below it: a change relative to it says nothing.
_NO_RATIO = ("debiased_calibration_error",)
_ROWS = 6
_OF = {
    "probabilities": "probabilities and targets",
    "logits": "logits and targets",
    "model": "the model itself",
}


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
        """Return the end of the scale as a percentage; empty where no metric has a bar."""
        return f"{100 * self.scale:g}%" if any(self.ends) else ""


@dataclass(frozen=True)
class ComparisonRow:
    """One line of the comparison as a reader sees it.

    Args:
        title: The metric.
        baseline: Value of tuned cross-entropy.
        challenger: Value of the challenger.
        difference: Challenger minus baseline.
        interval: Its 95% interval.
        reading: ``"better"``, ``"worse"``, ``"no clear difference"`` (it covers
            zero) or ``"unknown"``.
        ends: The interval's two ends and the difference on the scale of `comparison_bars`.
    """

    title: str
    baseline: str
    challenger: str
    difference: str
    interval: str
    reading: str
    ends: tuple[float, float, float] | None


@dataclass(frozen=True)
class MetricRow:
    """A metric on the rows of the verdict, one text for each model of `Summary.test_metrics`."""

    title: str
    meaning: str
    values: tuple[str, ...]


def comparison_bars(summary: Summary) -> Bars:
    """Return the bars of the comparisons that a report shows.

    A metric has one where tuned cross-entropy's value is above 0 and neither the difference nor an
    end of its interval is larger than that value.
    """
    changes = [_changes(one) for one in _shown(summary)]
    largest = max((abs(end) for one in changes if one for end in one), default=0.0)
    scale = next((one for one in _SCALES if one >= largest - 1e-12), 1.0)
    return Bars(
        scale,
        tuple(
            None if one is None else (one[0] / scale, one[1] / scale, one[2] / scale)
            for one in changes
        ),
    )


def comparison_rows(summary: Summary) -> tuple[ComparisonRow, ...]:
    """Return the comparison with tuned cross-entropy, six rows and the custom metrics."""
    shown = _shown(summary)
    bars = comparison_bars(summary).ends
    return tuple(_row(one, ends) for one, ends in zip(shown, bars, strict=True))


def verdict_rows(summary: Summary) -> tuple[tuple[str, ...], ...]:
    """Return the comparison as plain cells: a header, then at most six rows.

    Args:
        summary: The finished study.

    Returns:
        Rows of (metric, cross-entropy, challenger, difference, 95% interval, reading); empty
        where nothing was compared.
    """
    rows = comparison_rows(summary)
    header = ("", "tuned cross-entropy", "challenger", "difference", "95% interval", "conclusion")
    cells = tuple(
        (row.title, row.baseline, row.challenger, row.difference, row.interval, row.reading)
        for row in rows
    )
    return (header, *cells) if rows else ()


def metric_rows(summary: Summary) -> tuple[MetricRow, ...]:
    """Return the metrics on the rows of the verdict, in the order of the first model."""
    names = dict.fromkeys(name for values in summary.test_metrics.values() for name in values)
    return tuple(
        MetricRow(
            title=metric_words(name).title,
            meaning=_meaning(summary, name),
            values=tuple(
                value_text(name, values.get(name)) for values in summary.test_metrics.values()
            ),
        )
        for name in names
    )


def _shown(summary: Summary) -> tuple[Comparison, ...]:
    """Return the comparisons that a report shows."""
    return summary.verdict.comparisons[: _ROWS + len(summary.own_metrics)]


def _meaning(summary: Summary, name: str) -> str:
    """Return the meaning of a metric in a sentence; for a custom metric its direction."""
    known = metric_words(name).meaning
    own = next((one for one in summary.own_metrics if one.name == name), None)
    if known or own is None:
        return known
    better = "lower" if own.lower_is_better else "higher"
    return f"A custom metric, of {_OF[own.of]}; {better} is better."


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


def _row(one: Comparison, ends: tuple[float, float, float] | None) -> ComparisonRow:
    """Return one comparison in words."""
    known = all(map(math.isfinite, (one.low, one.high, one.difference)))
    # Without the difference the interval says nothing either.
    low_end, high_end = (one.low, one.high) if known else (math.nan, math.nan)
    reading = reading_text(low_end, high_end, lower_is_better=one.lower_is_better)
    return ComparisonRow(
        title=metric_words(one.metric, lower_is_better=one.lower_is_better).title,
        baseline=value_text(one.metric, one.baseline),
        challenger=value_text(one.metric, one.challenger),
        difference=difference_text(one.metric, one.difference),
        interval=interval_text(one.metric, one.low, one.high),
        reading=reading,
        ends=ends,
    )
