"""The finalists as dots with intervals: the difference of each to tuned cross-entropy."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from autoloss.records import Finalist, Summary
from autoloss.report.figures._base import Focus, PageFigure, ends, focus
from autoloss.report.figures._draw import (
    ACCENT,
    MUTED,
    PAGE,
    axis,
    baseline_at,
    layout,
    plain,
    points,
    rows_axis,
    trial_hover,
    two_lines,
)
from autoloss.report.finalists import ordered_finalists, takes_part, trial_label
from autoloss.report.palette import looks
from autoloss.report.roles import BLENDED, RECOMMENDED, SHIPS, find_trial, is_accented, trial_roles
from autoloss.report.words import (
    MetricWords,
    difference_text,
    family_words,
    in_sentence,
    interval_text,
    metric_words,
    reading_text,
    short,
)

TONES = {"better": "var(--good)", "worse": "var(--bad)"}


_SHIPPING = (SHIPS, RECOMMENDED, BLENDED)


@dataclass(frozen=True)
class Dot:
    """A finalist's difference to tuned cross-entropy.

    Args:
        number: Its trial.
        family: Its family, or empty text if it is not known.
        label: The loss in short.
        difference: Its metric minus that of tuned cross-entropy.
        low: Lower end of the interval, NaN if unknown.
        high: Upper end of it.
        reading: The meaning of the interval.
        trainings: The difference in each pair of training runs.
        role: ``"ships"``, ``"recommended"`` or ``"in the blend"``; empty for none.
    """

    number: int
    family: str
    label: str
    difference: float
    low: float
    high: float
    reading: str
    trainings: tuple[float, ...]
    role: str


@dataclass(frozen=True)
class FinalistsInfo:
    """The data of the figure: the metric, the compared finalists, the range."""

    metric: str
    words: MetricWords
    dots: tuple[Dot, ...]
    x: Focus


def finalists_info(summary: Summary) -> FinalistsInfo:
    """Return the data of the figure; tuned cross-entropy is its line and no dot."""
    found = {one.number: one for one in summary.finalists}
    baseline = found.get(summary.verdict.baseline)
    dots = tuple(
        _dot(summary, one, baseline)
        for one in ordered_finalists(summary)
        if takes_part(one) and one is not baseline and math.isfinite(one.difference)
    )
    ends = [value for dot in dots for value in (dot.low, dot.high, dot.difference)]
    trainings = [value for dot in dots for value in dot.trainings]
    words = metric_words(summary.metric, lower_is_better=summary.lower_is_better)
    part = focus(
        [*ends, *trainings, 0.0],
        keep=[*ends, 0.0],
        lower_is_better=summary.lower_is_better,
    )
    return FinalistsInfo(summary.metric, words, dots, part)


def finalists_figure(summary: Summary) -> PageFigure | None:
    """Return the dots, or None if nothing was compared with tuned cross-entropy."""
    info = finalists_info(summary)
    if not info.dots:
        return None
    title = in_sentence(info.words.title)
    caption = "; ".join(
        f"{dot.label}: {difference_text(info.metric, dot.difference)}, {dot.reading}"
        for dot in info.dots
    )
    small = any(dot.trainings for dot in info.dots)
    return PageFigure(
        id="finalists",
        group="finalists",
        title=f"Difference in {title} to tuned cross-entropy",
        caption=(
            "The number of the trial in brackets; left of the line is better. A line across is "
            "the 95% interval over the training runs"
            + (", a small ring one pair of training runs" if small else "")
            + ". On the held-out rows of the finalists, not on the rows of the verdict."
        ),
        alt=f"Difference in {title} to tuned cross-entropy. {caption}.",
        height=90 + 44 * len(info.dots),
        spec={"data": list(_traces(info)), "layout": _layout(info)},
    )


def _dot(summary: Summary, one: Finalist, baseline: Finalist | None) -> Dot:
    """Return one finalist's difference."""
    trial = find_trial(summary, one.number)
    roles = trial_roles(summary).get(one.number, ())
    pairs = zip(one.metric, baseline.metric, strict=False) if baseline else ()
    differences = (mine - other for mine, other in pairs)
    return Dot(
        number=one.number,
        family=trial.family if trial else "",
        label=trial_label(summary, one.number),
        difference=one.difference,
        low=one.low,
        high=one.high,
        reading=reading_text(one.low, one.high, lower_is_better=summary.lower_is_better),
        trainings=tuple(value for value in differences if math.isfinite(value)),
        role=next((role for role in roles if role in _SHIPPING), ""),
    )


def _scale(info: FinalistsInfo) -> float:
    """Return the unit of drawn differences: points of a share, the metric's unit otherwise."""
    return 100.0 if info.words.kind == "share" else 1.0


def _traces(info: FinalistsInfo) -> Iterator[dict[str, Any]]:
    """Yield for each finalist its training runs, then its interval and its dot."""
    scale = _scale(info)
    style = looks(dot.family for dot in info.dots)
    for row, dot in enumerate(info.dots):
        look = style[dot.family]
        trainings = [scale * value for value in dot.trainings]
        yield points(trainings, [row] * len(trainings), symbol="circle-open", size=6, color=MUTED)
        yield points(
            [scale * dot.difference],
            [row],
            hovers=[_hover(info, dot)],
            color=look.css,
            symbol=look.symbol,
            size=12 * look.size,
            line={"color": ACCENT, "width": 2}
            if is_accented(dot.role)
            else {"color": PAGE, "width": 0.5},
        ) | {
            "error_x": {
                "array": [scale * max(0.0, dot.high - dot.difference)],
                "arrayminus": [scale * max(0.0, dot.difference - dot.low)],
                "color": TONES.get(dot.reading, MUTED),
                "thickness": 3,
                "visible": dot.reading != "unknown",
            }
        }


def _hover(info: FinalistsInfo, dot: Dot) -> str:
    """Return the label of one finalist."""
    interval = interval_text(info.metric, dot.low, dot.high)
    return trial_hover(
        dot.number,
        dot.role,
        dot.label,
        difference_text(info.metric, dot.difference),
        "" if dot.reading == "unknown" else f"95% interval {interval}: {dot.reading}",
    )


def _layout(info: FinalistsInfo) -> dict[str, Any]:
    """Return a row per finalist, and the line of tuned cross-entropy."""
    unit = {"share": ", pp", "nats": ", nats"}.get(info.words.kind, "")
    span = ends(info.x, lower_is_better=info.words.lower_is_better)
    names = [
        two_lines(f"{plain(short(family_words(dot.family)))} ({dot.number})") for dot in info.dots
    ]
    title = f"Difference in {in_sentence(info.words.title)}{unit}"
    return layout(
        x=axis(title, range=[_scale(info) * end for end in span], nticks=5),
        y=rows_axis(names),
        shapes=[baseline_at(0)],
    )
