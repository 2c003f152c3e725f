"""Gradient signals of the losses, above a histogram of the model's rows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from autoloss.records import Summary
from autoloss.report.figures._base import PageFigure
from autoloss.report.figures._draw import (
    ACCENT,
    INK,
    MUTED,
    axis,
    counts_axis,
    hover,
    layout,
    line,
    pen,
)
from autoloss.report.finalists import trial_label
from autoloss.report.insights import signal_at
from autoloss.report.palette import DASHES, looks
from autoloss.report.roles import find_trial, is_accented, marked_trials

# The axis ends here, because some signals grow without bound as p approaches 1.
_HIGHEST, _LOWEST = 4.0, -1.0
_DRAWN = tuple(0.005 + 0.99 * place / 110 for place in range(111))


@dataclass(frozen=True)
class Curve:
    """The signal of one loss: its trial, the form of its line, its values at `SignalsInfo.at`."""

    number: int
    label: str
    line: dict[str, Any]
    values: tuple[float, ...]


@dataclass(frozen=True)
class SignalsInfo:
    """The data of the figure: the curves, the bins of p with their share of rows, the range."""

    at: tuple[float, ...]
    curves: tuple[Curve, ...]
    middles: tuple[float, ...]
    shares: tuple[float, ...]
    low: float
    high: float


def signals_info(summary: Summary) -> SignalsInfo:
    """Return the data of the figure; no curves where none were measured."""
    found = summary.signals
    if found is None:
        return SignalsInfo((), (), (), (), 0.0, 1.0)
    families = {
        curve.number: trial.family
        for curve in found.curves
        if (trial := find_trial(summary, curve.number)) is not None
    }
    style, marks = looks(families.values()), marked_trials(summary)
    curves = []
    for place, curve in enumerate(found.curves):
        is_thick = is_accented(marks.get(curve.number, ""))
        family = families.get(curve.number)
        colour = ACCENT if is_thick else INK if family is None else style[family].css
        values = tuple(signal_at(found.probs, curve.signal, prob) for prob in _DRAWN)
        label = trial_label(summary, curve.number)
        drawn = pen(colour, 2.6 if is_thick else 1.6, DASHES[place % len(DASHES)])
        curves.append(Curve(curve.number, label, drawn, values))
    inside = [
        value
        for curve in curves
        for prob, value in zip(_DRAWN, curve.values, strict=True)
        if 0.02 <= prob <= 0.98 and math.isfinite(value)
    ]
    total = max(sum(found.counts), 1)
    ends = list(zip(found.edges, found.edges[1:], strict=False))
    return SignalsInfo(
        _DRAWN,
        tuple(curves),
        tuple(0.5 * (low + high) for low, high in ends),
        tuple(count / total for count in found.counts),
        max(min([*inside, 0.0]), _LOWEST),
        min(max([*inside, 1.2]), _HIGHEST) * 1.05,
    )


def signals_figure(summary: Summary) -> PageFigure | None:
    """Return the curves over the histogram, or None if there is nothing to show."""
    info = signals_info(summary)
    if not info.curves:
        return None
    most = max(range(len(info.shares)), key=info.shares.__getitem__, default=0)
    names = ", ".join(curve.label for curve in info.curves)
    return PageFigure(
        id="signals",
        group="signals",
        title="Gradient on the true class, as a multiple of cross-entropy's",
        caption=(
            "Above 1 a loss pushes harder than cross-entropy, below 1 less, below 0 in the "
            "opposite direction. The bars are the rows. The table is the key to the lines."
        ),
        alt=(
            f"Gradient signals of {names} over the probability of the true class. Most rows have "
            f"p around {info.middles[most]:.2f}."
            if info.middles
            else f"Gradient signals of {names}."
        ),
        height=440,
        spec={"data": [*_lines(info), _bars(info)], "layout": _layout(info)},
    )


def _lines(info: SignalsInfo) -> Iterator[dict[str, Any]]:
    """Yield the curves."""
    for curve in info.curves:
        name = f"trial {curve.number}: {curve.label}"
        yield line(info.at, curve.values, curve.line, name=name)


def _bars(info: SignalsInfo) -> dict[str, Any]:
    """Return the share of the rows in each bin of p."""
    return {
        "type": "bar",
        "x": list(info.middles),
        "y": list(info.shares),
        "width": 0.9 * (info.middles[1] - info.middles[0]) if len(info.middles) > 1 else 0.5,
        "marker": {"color": MUTED},
        "hovertext": [
            hover(f"{100 * share:.1f}% of the rows", f"p around {middle:.2f}")
            for middle, share in zip(info.middles, info.shares, strict=True)
        ],
        "yaxis": "y2",
    }


def _layout(info: SignalsInfo) -> dict[str, Any]:
    """Return the signals' axis above, the rows' axis below, and a line at 1."""
    one = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": 1.0, "y1": 1.0}
    return layout(
        x=axis("p, the softmax of the true class", range=[0, 1], nticks=6),
        y=axis("Signal", range=[info.low, info.high], nticks=6, domain=[0.3, 1]),
        yaxis2=counts_axis(0.2),
        shapes=[{**one, "line": pen(MUTED, 1, "dot")}],
    )
