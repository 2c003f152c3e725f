"""The rule of the selection, drawn: who of the finalists was admissible, and who was taken."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from autoloss.records import Summary
from autoloss.report.figures._base import PageFigure, ends, focus
from autoloss.report.figures._draw import (
    band,
    layout,
    metric_axis,
    notes,
    points,
    rings,
    trial_hover,
)
from autoloss.report.finalists import takes_part, trial_label
from autoloss.report.palette import looks
from autoloss.report.roles import find_trial, marked_trials
from autoloss.report.words import count_text, in_sentence, metric_words, value_text


@dataclass(frozen=True)
class RulePoint:
    """A finalist by the means of its training runs."""

    number: int
    family: str
    label: str
    metric: float
    log_loss: float
    is_admissible: bool
    mark: str


def rule_info(summary: Summary) -> tuple[RulePoint, ...]:
    """Return the finalists that the rule chose among."""
    marks, found = marked_trials(summary), []
    for one in summary.finalists:
        trial = find_trial(summary, one.number)
        metric, log_loss = _mean(one.metric), _mean(one.log_loss)
        if trial is None or not (math.isfinite(metric) and math.isfinite(log_loss)):
            continue
        if takes_part(one):
            label = trial_label(summary, one.number)
            mark = marks.get(one.number, "")
            found.append(
                RulePoint(
                    one.number, trial.family, label, metric, log_loss, one.is_admissible, mark
                )
            )
    return tuple(found)


def rule_figure(summary: Summary) -> PageFigure | None:
    """Return the finalists, admissible finalists filled, or None for fewer than two."""
    info = rule_info(summary)
    if len(info) < 2:
        return None
    words = metric_words(summary.metric, lower_is_better=summary.lower_is_better)
    admissible = [one for one in info if one.is_admissible]
    chosen = next((one for one in info if one.number == summary.verdict.challenger), None)
    return PageFigure(
        id="rule",
        group="tradeoff",
        title="The rule among the finalists",
        caption=(
            "Means over the training runs on fresh seeds and divisions. Filled: within one paired "
            f"standard error of the best {in_sentence(words.title)}, so admissible; open: not. "
            "The rule below chooses among the admissible finalists."
        ),
        alt=(
            f"{count_text(len(info), 'finalist')}, {len(admissible)} admissible."
            + (
                f" Challenger: {chosen.label}, {value_text(summary.metric, chosen.metric)} and "
                f"{value_text('log_loss', chosen.log_loss)} nats."
                if chosen
                else ""
            )
        ),
        height=460,
        spec={"data": list(_traces(summary, info)), "layout": _layout(summary, info)},
    )


def _traces(summary: Summary, info: tuple[RulePoint, ...]) -> Iterator[dict[str, Any]]:
    """Yield a mark per finalist, filled if it is admissible, then rings around the marked."""
    title = metric_words(summary.metric).title
    style = looks(one.family for one in info)
    for one in info:
        look = style[one.family]
        label = trial_hover(
            one.number,
            one.mark,
            one.label,
            f"{title} {value_text(summary.metric, one.metric)}",
            f"Log loss {value_text('log_loss', one.log_loss)}",
        )
        yield points(
            [one.metric],
            [one.log_loss],
            hovers=[label],
            color=look.css,
            symbol=look.symbol + ("" if one.is_admissible else "-open"),
            size=11 * look.size,
            line={"color": look.css, "width": 1.8},
        ) | {"meta": {"family": one.family}}
    yield rings(_marked(info), size=21)


def _layout(summary: Summary, info: tuple[RulePoint, ...]) -> dict[str, Any]:
    """Return the axes, the part that is admissible, and a name beside each marked finalist."""
    lower, metric = summary.lower_is_better, [one.metric for one in info]
    words = metric_words(summary.metric, lower_is_better=lower)
    log_loss = [one.log_loss for one in info]
    x, y = focus(metric, keep=metric, lower_is_better=lower), focus(log_loss, keep=log_loss)
    admissible = [one.metric for one in info if one.is_admissible]
    air = 0.03 * (x.high - x.low)
    shade = [band(min(admissible) - air, max(admissible) + air)] if admissible else []
    span = ends(x, lower_is_better=lower)
    return layout(
        x=metric_axis(summary.metric, words, range=span, nticks=6),
        y=metric_axis("log_loss", metric_words("log_loss"), range=[y.low, y.high]),
        annotations=notes(_marked(info)),
        shapes=shade,
    )


def _marked(info: tuple[RulePoint, ...]) -> list[tuple[float, float, str]]:
    return [(one.metric, one.log_loss, one.mark) for one in info if one.mark]


def _mean(values: tuple[float, ...]) -> float:
    return sum(values) / len(values) if values else math.nan
