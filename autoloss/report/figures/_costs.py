"""The cost per row under other costs, or with a person who decides some rows."""

from __future__ import annotations

import math
from typing import Any

from autoloss.records import Summary
from autoloss.report.figures._base import ACCENT, MUTED, Figure, axis, layout, model_lines
from autoloss.report.roles import BASELINE, CHALLENGER, positive_quoted
from autoloss.report.rows import rows_name
from autoloss.report.words import value_text


def costs_figure(summary: Summary) -> Figure | None:
    """Return the cost curve, or None if no costs were given or an older study has none."""
    found = summary.cost_curve
    if found is None or len(found.at) < 2:
        return None
    by_share = found.over == "cost_share"
    values = {CHALLENGER: found.challenger, BASELINE: found.baseline}
    lines = model_lines(summary, {role: (found.at, one) for role, one in values.items()}, {})
    traces, key = list(lines.traces), list(lines.key)
    if found.single:
        line = {"color": MUTED, "width": 1.2, "dash": "dot"}
        traces.insert(
            0,
            {
                "type": "scatter",
                "mode": "lines",
                "x": list(found.at),
                "y": list(found.single),
                "line": line,
            },
        )
        key.append(("one class for all rows", line))
    name = positive_quoted(summary)
    title = (
        f"Cost of a false {name} as a share of both costs"
        if by_share
        else ("Share of rows decided by a person, highest expected cost first")
    )
    seen = [value for one in values.values() for value in one if math.isfinite(value)]
    low, top = min([0.0, *seen]), 1.08 * max([0.0, *seen])
    return Figure(
        id="cost-curve",
        group="costs",
        title="Expected cost under other costs" if by_share else "Expected cost after review",
        caption=_caption(summary, name),
        alt=_alt(summary),
        height=360,
        key=tuple(key),
        spec={
            "data": traces,
            "layout": layout(
                x=axis(title, range=[0, 1], tickformat=".0%", nticks=6),
                y=axis("Expected cost of a row", range=[low, top or 1.0]),
                shapes=_given(found.given),
            ),
        },
    )


def _given(at: float) -> list[dict[str, Any]]:
    """Return the line at the costs that were given."""
    if not math.isfinite(at):
        return []
    line = {"color": ACCENT, "width": 1.4, "dash": "dash"}
    return [{"type": "line", "x0": at, "x1": at, "yref": "paper", "y0": 0, "y1": 1, "line": line}]


def _caption(summary: Summary, name: str) -> str:
    """Return how to read the curve."""
    found = summary.cost_curve
    if found is None or found.over == "reviewed":
        return (
            f"On the {rows_name(summary)}, lower is better: the mean cost of a row if a person "
            "decided the rows of the highest expected cost without mistakes."
        )
    return (
        f"On the {rows_name(summary)}, lower is better. To the right a false {name} costs "
        "more, to the left a missed one; the sum of both costs stays the same, and decisions "
        "follow them. The dashed upright line is the given cost matrix."
    )


def _alt(summary: Summary) -> str:
    """Return the curve in words."""
    found = summary.cost_curve
    if found is None:
        return ""
    if found.over == "reviewed":
        return (
            f"Expected cost {value_text('expected_cost', found.baseline[0])} (tuned "
            f"cross-entropy) and {value_text('expected_cost', found.challenger[0])} (challenger) "
            "without review, falling to that of right decisions."
        )
    place = min(range(len(found.at)), key=lambda n: abs(found.at[n] - found.given))
    return (
        f"At the given costs a row costs {value_text('expected_cost', found.challenger[place])} "
        f"under the challenger, {value_text('expected_cost', found.baseline[place])} under tuned "
        "cross-entropy."
    )
