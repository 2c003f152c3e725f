"""The rule of the selection, drawn: who of the finalists was admissible, and who was taken."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from autoloss.records import Summary
from autoloss.report.figures._base import (
    Figure,
    band,
    focus,
    hover,
    layout,
    marked_colour,
    metric_axis,
    plain,
    rings,
)
from autoloss.report.finalists import takes_part, trial_label
from autoloss.report.palette import looks
from autoloss.report.roles import find_trial, marked_trials
from autoloss.report.words import count_text, in_sentence, metric_words, value_text


@dataclass(frozen=True)
class Candidate:
    """A finalist by the means of its trainings."""

    number: int
    family: str
    label: str
    metric: float
    log_loss: float
    is_admissible: bool
    mark: str


def rule_info(summary: Summary) -> tuple[Candidate, ...]:
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
                Candidate(
                    one.number, trial.family, label, metric, log_loss, one.is_admissible, mark
                )
            )
    return tuple(found)


def rule_figure(summary: Summary) -> Figure | None:
    """Return the finalists with the admissible ones marked, or None if fewer than two are."""
    info = rule_info(summary)
    if len(info) < 2:
        return None
    words = metric_words(summary.metric, lower_is_better=summary.lower_is_better)
    admissible = [one for one in info if one.is_admissible]
    chosen = next((one for one in info if one.number == summary.verdict.challenger), None)
    return Figure(
        id="rule",
        group="tradeoff",
        title="The rule among the finalists",
        caption=(
            "Means over the trainings on fresh seeds and divisions. Filled: within one paired "
            f"standard error of the best {in_sentence(words.title)}, so admissible; open: not. "
            "The rule below chooses among the admissible ones."
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
        spec={"data": _traces(summary, info), "layout": _layout(summary, info)},
    )


def _traces(summary: Summary, info: tuple[Candidate, ...]) -> list[dict[str, Any]]:
    """Return a mark a finalist, filled where it is admissible, and rings around the marked."""
    words = metric_words(summary.metric)
    style = looks(one.family for one in info)
    traces: list[dict[str, Any]] = []
    for one in info:
        look = style[one.family]
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "x": [one.metric],
                "y": [one.log_loss],
                "marker": {
                    "color": look.css,
                    "symbol": look.symbol + ("" if one.is_admissible else "-open"),
                    "size": 11 * look.size,
                    "line": {"color": look.css, "width": 1.8},
                },
                "hovertext": [
                    hover(
                        f"Trial {one.number}" + (f" · {one.mark}" if one.mark else ""),
                        one.label,
                        f"{words.title} {value_text(summary.metric, one.metric)}",
                        f"Log loss {value_text('log_loss', one.log_loss)}",
                    )
                ],
                "hoverinfo": "text",
                "meta": {"family": one.family},
            }
        )
    marked = [one for one in info if one.mark]
    traces.append(rings([(one.metric, one.log_loss, one.mark) for one in marked], size=21))
    return traces


def _layout(summary: Summary, info: tuple[Candidate, ...]) -> dict[str, Any]:
    """Return the axes, the part that is admissible, and a name beside each marked finalist."""
    words = metric_words(summary.metric, lower_is_better=summary.lower_is_better)
    x = focus(
        (one.metric for one in info),
        keep=[one.metric for one in info],
        lower_is_better=summary.lower_is_better,
    )
    y = focus((one.log_loss for one in info), keep=[one.log_loss for one in info])
    x_range = [x.low, x.high]
    if not summary.lower_is_better:
        x_range.reverse()
    admissible = [one.metric for one in info if one.is_admissible]
    shade = []
    if admissible:
        air = 0.03 * (x.high - x.low)
        shade = [band(min(admissible) - air, max(admissible) + air)]
    notes = []
    for one in info:
        if not one.mark:
            continue
        notes.append(
            {
                "x": one.metric,
                "y": one.log_loss,
                "text": plain(one.mark),
                "free": True,
                "standoff": 10,
                "font": {"color": marked_colour(one.mark), "size": 13},
            }
        )
    return layout(
        x=metric_axis(summary.metric, words, range=x_range, nticks=6),
        y=metric_axis("log_loss", metric_words("log_loss"), range=[y.low, y.high]),
        annotations=notes,
        shapes=shade,
    )


def _mean(values: tuple[float, ...]) -> float:
    return sum(values) / len(values) if values else math.nan
