"""The metric over the decision threshold, for decisions that are moved."""

from __future__ import annotations

import math
from typing import Any

from autoloss.records import Summary, Threshold
from autoloss.report.figures._base import PageFigure
from autoloss.report.figures._draw import (
    ACCENT,
    INK,
    MUTED,
    SHARE_AXIS,
    axis,
    layout,
    line,
    metric_axis,
    pen,
    plain,
    upright,
)
from autoloss.report.roles import positive_quoted
from autoloss.report.rows import rows_name
from autoloss.report.shipped import judged_start
from autoloss.report.words import metric_words, value_text


def threshold_figure(summary: Summary) -> PageFigure | None:
    """Return the metric over the threshold, or None if no threshold was moved."""
    found = summary.threshold
    if found is None or len(found.probs) < 2 or not math.isfinite(found.threshold):
        return None
    words, positive = metric_words(found.metric), positive_quoted(summary)
    best = min(range(len(found.values)), key=found.values.__getitem__)
    source = "costs" if found.metric == "expected_cost" else "class shares"
    return PageFigure(
        id="threshold",
        group="threshold",
        title=f"{words.title} over the threshold",
        caption=(
            f"{judged_start(summary)}, on the {rows_name(summary)}, if it decided for {positive} "
            f"from that probability on. The threshold follows from the {source} and was not "
            "fitted to these rows: the lowest point of the curve is partly chance."
        ),
        alt=(
            f"{words.title} at thresholds from 0 to 1: {value_text(found.metric, found.value)} at "
            f"the chosen {found.threshold:.3f}, {value_text(found.metric, found.likeliest)} at "
            f"0.5, lowest {value_text(found.metric, found.values[best])} at "
            f"{found.probs[best]:.2f}."
        ),
        height=340,
        spec={
            "data": [line(found.probs, found.values, pen(INK, 2))],
            "layout": _layout(found, f"Threshold on the probability of {positive}"),
        },
    )


def _layout(found: Threshold, title: str) -> dict[str, Any]:
    """Return the axes, and a line with a label at the threshold and at a half."""
    low, high = min(found.values), max(found.values)
    air = 0.08 * (high - low) or 0.05
    at, middle = found.threshold, 0.5
    # Each label leans away from the other line, and into the frame.
    leans_right = at < 0.3 or 0.5 <= at < 0.75
    labels = (
        (at, "chosen", ACCENT, leans_right),
        (middle, "likeliest class", INK, at < middle),
    )
    return layout(
        x=axis(title, **SHARE_AXIS),
        y=metric_axis(
            found.metric, metric_words(found.metric), range=[low - air, high + 1.6 * air]
        ),
        annotations=[
            {
                "x": place,
                "y": high + 0.9 * air,
                "text": plain(text),
                "xanchor": "left" if to_right else "right",
                "xshift": 5 if to_right else -5,
                "font": {"color": colour},
            }
            for place, text, colour, to_right in labels
        ],
        shapes=[upright(at, pen(ACCENT, 1.4)), upright(middle, pen(MUTED, 1.4, "dash"))],
    )
