"""The cost of a row under other costs, or with a person who decides some rows."""

from __future__ import annotations

import math

from autoloss.records import CostCurve, Summary
from autoloss.report.figures._base import PageFigure, model_lines
from autoloss.report.figures._draw import (
    ACCENT,
    MUTED,
    SHARE_AXIS,
    axis,
    layout,
    line,
    pen,
    upright,
)
from autoloss.report.roles import BASELINE, CHALLENGER, positive_quoted
from autoloss.report.rows import rows_name
from autoloss.report.words import value_text

_GIVEN = "The dashed upright line is the given cost matrix."
_NONE_GIVEN = "No costs were given: their sum is 2."


def costs_figure(summary: Summary) -> PageFigure | None:
    """Return the cost curve, or None if no costs were given or an older study has none."""
    found = summary.cost_curve
    if found is None or len(found.at) < 2:
        return None
    by_share, name = found.over == "cost_share", positive_quoted(summary)
    values = {CHALLENGER: found.challenger, BASELINE: found.baseline}
    lines = model_lines(summary, {role: (found.at, one) for role, one in values.items()}, {})
    traces, key = list(lines.traces), list(lines.key)
    if found.single:
        single = pen(MUTED, 1.2, "dot")
        traces.insert(0, line(found.at, found.single, single))
        key.append(("one class for all rows", single))
    title = (
        f"Cost of a false {name} as a share of both costs"
        if by_share
        else "Share of rows decided by a person, highest expected cost first"
    )
    seen = [value for one in values.values() for value in one if math.isfinite(value)]
    low, top = min([0.0, *seen]), 1.08 * max([0.0, *seen])
    given = [found.given] if math.isfinite(found.given) else []
    return PageFigure(
        id="cost-curve",
        group="costs",
        title="Expected cost under other costs" if by_share else "Expected cost after review",
        caption=_caption(summary, name),
        alt=_alt(found),
        height=360,
        key=tuple(key),
        spec={
            "data": traces,
            "layout": layout(
                x=axis(title, **SHARE_AXIS),
                y=axis("Expected cost per row", range=[low, top or 1.0]),
                shapes=[upright(at, pen(ACCENT, 1.4, "dash")) for at in given],
            ),
        },
    )


def _caption(summary: Summary, name: str) -> str:
    """Return how to read the curve."""
    found = summary.cost_curve
    if found is None or found.over == "reviewed":
        return (
            f"On the {rows_name(summary)}, lower is better: the mean cost per row if a person "
            "decided the rows of the highest expected cost without mistakes."
        )
    return (
        f"On the {rows_name(summary)}, lower is better. To the right a false {name} costs "
        "more, to the left a missed one; the sum of both costs stays the same, and decisions "
        f"follow them. {_GIVEN if math.isfinite(found.given) else _NONE_GIVEN}"
    )


def _alt(found: CostCurve) -> str:
    """Return the curve in words."""
    if found.over == "reviewed":
        baseline, challenger = _costs(found, 0)
        return (
            f"Expected cost {baseline} (tuned cross-entropy) and {challenger} (challenger) "
            "without review, falling to that of right decisions."
        )
    is_given = math.isfinite(found.given)
    share = found.given if is_given else 0.5
    baseline, challenger = _costs(
        found, min(range(len(found.at)), key=lambda n: abs(found.at[n] - share))
    )
    return (
        f"At {'the given' if is_given else 'equal'} costs a row costs {challenger} under the "
        f"challenger, {baseline} under tuned cross-entropy."
    )


def _costs(found: CostCurve, place: int) -> tuple[str, str]:
    """Return the cost of a row under tuned cross-entropy and under the challenger."""
    baseline, challenger = found.baseline[place], found.challenger[place]
    return value_text("expected_cost", baseline), value_text("expected_cost", challenger)
