"""What other thresholds would have given, for decisions that are moved."""

from __future__ import annotations

import math

from autoloss.records import Summary
from autoloss.report.figures._base import (
    ACCENT,
    INK,
    MUTED,
    Figure,
    axis,
    layout,
    metric_axis,
    plain,
)
from autoloss.report.roles import positive_quoted
from autoloss.report.rows import rows_name
from autoloss.report.shipped import judged_start
from autoloss.report.words import metric_words, value_text


def threshold_figure(summary: Summary) -> Figure | None:
    """Return the metric over the threshold, or None if no threshold was moved."""
    found = summary.threshold
    if found is None or len(found.probs) < 2 or not math.isfinite(found.threshold):
        return None
    words = metric_words(found.metric)
    best = min(range(len(found.values)), key=found.values.__getitem__)
    lines = [
        {
            "type": "line",
            "x0": at,
            "x1": at,
            "yref": "paper",
            "y0": 0,
            "y1": 1,
            "line": {"color": colour, "width": 1.4, "dash": dash},
        }
        for at, colour, dash in ((found.threshold, ACCENT, "solid"), (0.5, MUTED, "dash"))
    ]
    low, high = min(found.values), max(found.values)
    air = 0.08 * (high - low) or 0.05
    at, middle = found.threshold, 0.5
    # Each label leans away from the other line, and into the frame.
    leans_right = at < 0.3 or 0.5 <= at < 0.75
    labels = [
        {
            "x": place,
            "y": high + 0.9 * air,
            "text": plain(text),
            "showarrow": False,
            "xanchor": "left" if to_right else "right",
            "xshift": 5 if to_right else -5,
            "font": {"color": colour, "size": 13},
        }
        for place, text, colour, to_right in (
            (at, "chosen", ACCENT, leans_right),
            (middle, "likeliest class", INK, at < middle),
        )
    ]
    return Figure(
        id="threshold",
        group="threshold",
        title=f"{words.title} over the threshold",
        caption=(
            f"{judged_start(summary)}, on the {rows_name(summary)}, if it decided for "
            f"{positive_quoted(summary)} from that probability on. The threshold follows from the "
            + ("costs" if found.metric == "expected_cost" else "class shares")
            + " and was not fitted to these rows: the lowest point of the curve is partly chance."
        ),
        alt=(
            f"{words.title} at thresholds from 0 to 1: {value_text(found.metric, found.value)} at "
            f"the chosen {found.threshold:.3f}, {value_text(found.metric, found.likeliest)} at "
            f"0.5, lowest {value_text(found.metric, found.values[best])} at "
            f"{found.probs[best]:.2f}."
        ),
        height=340,
        spec={
            "data": [
                {
                    "type": "scatter",
                    "mode": "lines",
                    "x": list(found.probs),
                    "y": list(found.values),
                    "line": {"color": INK, "width": 2},
                    "hoverinfo": "skip",
                }
            ],
            "layout": layout(
                x=axis(
                    f"Threshold on the probability of {positive_quoted(summary)}",
                    range=[0, 1],
                    tickformat=".0%",
                    nticks=6,
                ),
                y=metric_axis(found.metric, words, range=[low - air, high + 1.6 * air]),
                annotations=labels,
                shapes=lines,
            ),
        },
    )
