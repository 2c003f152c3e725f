"""The families as strips: the trials of each family on one metric."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

from autoloss.records import REFINED_LOG_LOSS, Summary, TrialRecord
from autoloss.report.figures._base import Focus, PageFigure, ends, focus, outside_note
from autoloss.report.figures._draw import (
    ACCENT,
    INK,
    PAGE,
    band,
    baseline_at,
    layout,
    metric_axis,
    plain,
    points,
    rows_axis,
    trial_hover,
    two_lines,
)
from autoloss.report.palette import looks
from autoloss.report.roles import find_trial, is_accented, marked_trials, metric_value
from autoloss.report.words import (
    MetricWords,
    count_text,
    family_words,
    metric_words,
    short,
    value_text,
)


@dataclass(frozen=True)
class Strip:
    """The trials of a family: their values, best first, with numbers, labels and marks."""

    family: str
    values: tuple[float, ...]
    numbers: tuple[int, ...]
    labels: tuple[str, ...]
    marks: tuple[str, ...]

    @property
    def median(self) -> float:
        """Return the median of the values."""
        return median(self.values)


@dataclass(frozen=True)
class StripsInfo:
    """The data of the strips.

    Args:
        metric: Name of the metric.
        words: The metric in words.
        strips: The families, the family with the best trial first.
        baseline: Value of tuned cross-entropy, NaN if it has none.
        x: The range.
        luck: The value of the selected trial, and the value of such a selection on new rows; NaN
            if unknown.
    """

    metric: str
    words: MetricWords
    strips: tuple[Strip, ...]
    baseline: float
    x: Focus
    luck: tuple[float, float] = (math.nan, math.nan)

    @property
    def has_luck(self) -> bool:
        """Return whether the selection bias is known and above zero."""
        sign = 1.0 if self.words.lower_is_better else -1.0
        seen, honest = self.luck
        return math.isfinite(seen) and math.isfinite(honest) and sign * (honest - seen) > 0


def strips_info(summary: Summary, metric: str) -> StripsInfo:
    """Return the data of the strips of one metric."""
    words = metric_words(metric, lower_is_better=summary.lower_is_better)
    strips = _strips(summary, metric, sign=1.0 if words.lower_is_better else -1.0)
    values = [value for strip in strips for value in strip.values]
    kept = [
        value
        for strip in strips
        for value, mark in zip(strip.values, strip.marks, strict=True)
        if mark or value == strip.values[0]
    ]
    luck = _luck(summary, metric)
    if all(map(math.isfinite, luck)):
        kept.extend(luck)
    baseline = find_trial(summary, summary.verdict.baseline)
    return StripsInfo(
        metric=metric,
        words=words,
        strips=strips,
        baseline=metric_value(baseline, metric) if baseline else math.nan,
        x=focus(values, keep=kept, lower_is_better=words.lower_is_better),
        luck=luck,
    )


def _strips(summary: Summary, metric: str, *, sign: float) -> tuple[Strip, ...]:
    """Return the families with their trials; sign is 1 if a lower metric is better, else -1."""
    marks = marked_trials(summary)
    members: dict[str, list[tuple[float, TrialRecord]]] = {}
    for trial in summary.trials:
        if math.isfinite(value := metric_value(trial, metric)):
            members.setdefault(trial.family, []).append((value, trial))
    strips = []
    for family, found in members.items():
        found.sort(key=lambda pair: (sign * pair[0], pair[1].number))
        strips.append(
            Strip(
                family=family,
                values=tuple(value for value, _ in found),
                numbers=tuple(trial.number for _, trial in found),
                labels=tuple(trial.label for _, trial in found),
                marks=tuple(marks.get(trial.number, "") for _, trial in found),
            )
        )
    return tuple(sorted(strips, key=lambda strip: (sign * strip.values[0], strip.family)))


def _luck(summary: Summary, metric: str) -> tuple[float, float]:
    """Return the value of the selected trial and the value of such a selection on new rows."""
    found = summary.optimism
    if found is None or metric not in (REFINED_LOG_LOSS, summary.metric):
        return math.nan, math.nan
    if metric == REFINED_LOG_LOSS:
        return found.log_loss, found.log_loss_honest
    return found.metric, found.metric_honest


def strips_figures(summary: Summary) -> tuple[PageFigure, ...]:
    """Return the strips of the objective and of the metric in place of error."""
    names = dict.fromkeys((REFINED_LOG_LOSS, summary.metric))
    infos = [info for name in names if (info := strips_info(summary, name)).strips]
    return tuple(_figure(info) for info in infos)


def _figure(info: StripsInfo) -> PageFigure:
    """Return the strips of one metric."""
    best = info.strips[0]
    n_trials = sum(len(strip.values) for strip in info.strips)
    line = "The dashed line is tuned cross-entropy. " if math.isfinite(info.baseline) else ""
    return PageFigure(
        id=f"strips-{info.metric}",
        group="families",
        title=f"{info.words.title} of every trial, by family",
        caption=(
            f"A mark is a trial, the upright tick the median of its family. {line}{_curse(info)}"
            f"{count_text(n_trials, 'trial')}.{outside_note(info.x.outside)}"
        ),
        alt=(
            f"{info.words.title} by family, best first. {best.family} has the best trial, "
            f"{value_text(info.metric, best.values[0])}; tuned cross-entropy "
            f"{value_text(info.metric, info.baseline)}."
        ),
        height=90 + 34 * len(info.strips),
        spec={"data": list(_traces(info)), "layout": _layout(info)},
    )


def _curse(info: StripsInfo) -> str:
    """Return the words for the shading, or an empty string if there is none."""
    if not info.has_luck:
        return ""
    seen, honest = (value_text(info.metric, value) for value in info.luck)
    return (
        f"Shaded: selection bias. The trial with the lowest log loss shows {seen}; such a "
        f"selection gives {honest} on new rows. "
    )


def _spread(count: int, row: int) -> list[float]:
    """Return heights within a row: the golden ratio spreads neighbours apart, without chance."""
    step = (math.sqrt(5) - 1) / 2
    return [row + 0.5 * ((place * step + 0.5) % 1.0 - 0.5) for place in range(count)]


def _traces(info: StripsInfo) -> Iterator[dict[str, Any]]:
    """Yield for each family its marks, then the medians of all."""
    style = looks(strip.family for strip in info.strips)
    for row, strip in enumerate(info.strips):
        look = style[strip.family]
        columns = (strip.numbers, strip.marks, strip.labels, strip.values)
        yield points(
            strip.values,
            _spread(len(strip.values), row),
            hovers=[
                trial_hover(
                    number, mark, label, f"{info.words.title} {value_text(info.metric, value)}"
                )
                for number, mark, label, value in zip(*columns, strict=True)
            ],
            color=look.css,
            symbol=look.symbol,
            size=[look.size * (12 if mark else 7) for mark in strip.marks],
            opacity=[1.0 if mark else 0.75 for mark in strip.marks],
            line={
                "color": [_ring(mark) for mark in strip.marks],
                "width": [2 if mark else 0.5 for mark in strip.marks],
            },
        ) | {"meta": {"family": strip.family}}
    medians = [strip.median for strip in info.strips]
    yield points(
        medians,
        range(len(medians)),
        symbol="line-ns-open",
        size=24,
        color=INK,
        line={"width": 2},
    )


def _ring(mark: str) -> str:
    """Return the colour of a mark's outline."""
    if is_accented(mark):
        return ACCENT
    return INK if mark else PAGE


def _layout(info: StripsInfo) -> dict[str, Any]:
    """Return the rows, best family on top, the line of tuned cross-entropy, and the luck."""
    span = ends(info.x, lower_is_better=info.words.lower_is_better)
    names = [two_lines(plain(short(family_words(strip.family)))) for strip in info.strips]
    luck = [band(*info.luck)] if info.has_luck else []
    baseline = [baseline_at(info.baseline)] if math.isfinite(info.baseline) else []
    return layout(
        x=metric_axis(info.metric, info.words, range=span, nticks=6),
        y=rows_axis(names),
        shapes=[*luck, *baseline],
    )
