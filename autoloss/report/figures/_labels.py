"""The labels as a strip: the difference in log loss on each."""

from __future__ import annotations

import math
from typing import Any

from autoloss.records import Summary
from autoloss.records.labels import LabelFigures
from autoloss.report.figures._base import PageFigure
from autoloss.report.figures._draw import (
    MUTED,
    PAGE,
    axis,
    baseline_at,
    hover,
    layout,
    plain,
    points,
    rows_axis,
)
from autoloss.report.figures._finalists import TONES
from autoloss.report.labels import reading
from autoloss.report.words import difference_text, interval_text, short

# Of more labels the strip shows so many at both ends.
_AT_ENDS = 20


def labels_figure(summary: Summary) -> PageFigure | None:
    """Return the strip, or None if there are no labels or no challenger."""
    found = summary.labels
    if found is None or summary.verdict.challenger == summary.verdict.baseline:
        return None
    known = sorted(
        (one for one in found.labels if math.isfinite(one.difference) and one.low < one.high),
        key=lambda one: (one.difference, one.name),
    )
    if not known:
        return None
    labels, left = known, 0
    if len(known) > 2 * _AT_ENDS:
        labels = [*known[:_AT_ENDS], *known[-_AT_ENDS:]]
        left = len(known) - len(labels)
    ends = [end for one in labels for end in (one.low, one.high, 0.0)]
    air = 0.04 * (max(ends) - min(ends))
    readings = [reading(one) for one in known]
    better, worse = readings.count("better"), readings.count("worse")
    between = f" {left:,} labels between the two ends are left out." if left else ""
    return PageFigure(
        id="labels",
        group="labels",
        title="Difference in log loss to tuned cross-entropy, by label",
        caption=(
            "Left of the line the challenger is better. A line across is the 95% interval; its"
            f" colour is that of the reading after Holm's correction over the labels.{between}"
        ),
        alt=f"Of {len(known):,} labels the challenger is better on {better:,} and worse on"
        f" {worse:,}; {labels[0].name} gains most.",
        height=90 + 22 * len(labels),
        spec={
            "data": [_dot(one, row) for row, one in enumerate(labels)],
            "layout": layout(
                x=axis(
                    "Difference in log loss, nats",
                    nticks=5,
                    range=[min(ends) - air, max(ends) + air],
                ),
                y=rows_axis([plain(short(one.name, 18)) for one in labels]),
                shapes=[baseline_at(0)],
            ),
        },
    )


def _dot(one: LabelFigures, row: int) -> dict[str, Any]:
    """Return the difference of a label with its interval."""
    said = reading(one)
    dot = points(
        [one.difference],
        [row],
        hovers=[
            hover(
                one.name,
                f"{one.positives:,} of {one.rows:,} rows have it",
                difference_text("log_loss", one.difference),
                f"95% interval {interval_text('log_loss', one.low, one.high)}: {said}",
            )
        ],
        color=TONES.get(said, MUTED),
        size=8,
        line={"color": PAGE, "width": 0.5},
    )
    return dot | {
        "error_x": {
            "array": [max(0.0, one.high - one.difference)],
            "arrayminus": [max(0.0, one.difference - one.low)],
            "color": TONES.get(said, MUTED),
            "thickness": 2.5,
            "visible": True,
        }
    }
