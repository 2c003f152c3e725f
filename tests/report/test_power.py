"""The smallest difference that rows can show, in the study's metric."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from autoloss.records import Comparison, Resampling, Summary
from autoloss.report.power import power_short, power_text, smallest_detectable
from tests.report.summaries import make_summary


def compared(metric: str, *, low: float, high: float, **changes: object) -> Summary:
    """Return a study whose metric was compared with such an interval."""
    summary = make_summary()
    one = Comparison(metric, 0.8, 0.81, low, high, lower_is_better=False)
    verdict = replace(summary.verdict, comparisons=(one, *summary.verdict.comparisons))
    return replace(summary, metric=metric, lower_is_better=False, verdict=verdict, **changes)


def test_error_keeps_the_figure_of_the_test() -> None:
    summary = make_summary()
    assert smallest_detectable(summary) == ("error", summary.verdict.detectable)
    assert power_short(summary).endswith(" in error")


def test_another_metric_is_told_in_its_own_unit() -> None:
    summary = compared("auroc", low=-0.01, high=0.03)
    metric, value = smallest_detectable(summary)
    # From a 95% interval to the level of one test of three: 2.394 / 1.960.
    assert (metric, value) == ("auroc", pytest.approx(0.02 * 2.394 / 1.960, rel=1e-3))
    assert power_short(summary) == "0.0244 in AUROC"
    assert "could not show a smaller difference" in power_text(summary)


def test_few_folds_show_less() -> None:
    locked = Resampling("cross_validation", 5)
    nested = replace(locked, verdict="nested", outer=4)
    narrow, wide = (
        smallest_detectable(compared("auroc", low=-0.01, high=0.03, resampling=one))[1]
        for one in (locked, nested)
    )
    assert wide > 1.05 * narrow


def test_what_is_not_known_is_told_in_error_or_not_at_all() -> None:
    unknown = compared("auroc", low=math.nan, high=math.nan)
    assert smallest_detectable(unknown)[0] == "error"
    verdict = replace(unknown.verdict, detectable=math.nan)
    assert power_short(replace(unknown, verdict=verdict)) == ""
