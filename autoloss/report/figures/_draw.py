"""The pieces that figures are drawn from: lines, points, shapes and axes, as plain data."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import Any

from autoloss.report.roles import is_accented
from autoloss.report.words import MetricWords, metric_words

INK, MUTED, ACCENT, PAGE = "var(--ink)", "var(--muted)", "var(--accent)", "var(--page)"
BAND = "var(--band)"
SHARE_AXIS: dict[str, Any] = {"range": [0, 1], "tickformat": ".0%", "nticks": 6}
"""An axis from 0 % to 100 %."""


def plain(text: str) -> str:
    """Return text for a label, which is read as a small HTML."""
    return html.escape(" ".join(str(text).split()), quote=False)


def two_lines(name: str) -> str:
    """Return a long name in two lines, so that a narrow page keeps room for the marks."""
    return name.replace(" ", "<br>", 1) if len(name) > 16 else name


def hover(*lines: str) -> str:
    """Return lines of plain text as one hover label, the first one bold."""
    first, *rest = (plain(line) for line in lines if line)
    return "<br>".join([f"<b>{first}</b>", *rest])


def trial_hover(number: int, mark: str, *lines: str) -> str:
    """Return the hover label of a trial: its number, its mark if it has one, and more lines."""
    return hover(f"Trial {number}" + (f" · {mark}" if mark else ""), *lines)


def pen(colour: str, width: float, dash: str = "solid") -> dict[str, Any]:
    """Return how a line is drawn."""
    return {"color": colour, "width": width, "dash": dash}


def line(
    x: Iterable[float | None], y: Iterable[float | None], drawn: dict[str, Any], **more: Any
) -> dict[str, Any]:
    """Return a line through points, with a gap at each None."""
    return {"type": "scatter", "mode": "lines", "x": list(x), "y": list(y), "line": drawn, **more}


def points(
    x: Iterable[float], y: Iterable[float], *, hovers: Sequence[str] | None = None, **marker: Any
) -> dict[str, Any]:
    """Return symbols at points.

    Args:
        x: Of each point.
        y: Of each point.
        hovers: The hover label of each.
        marker: ``color``, ``symbol``, ``size``, ``opacity`` and ``line``, one or a list of each.
    """
    trace = {"type": "scatter", "mode": "markers", "x": list(x), "y": list(y), "marker": marker}
    return trace if hovers is None else {**trace, "hovertext": list(hovers)}


def dotted_points(trace: dict[str, Any], drawn: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return `points` with a line through them."""
    return {**trace, "mode": "lines+markers", "line": drawn, **more}


def area(x: Sequence[float], low: Sequence[float], high: Sequence[float]) -> dict[str, Any]:
    """Return the area between two curves."""
    # The edge is seen even where a single point leaves no area.
    forth_and_back = [*x, *x[::-1]], [*high, *low[::-1]]
    return line(*forth_and_back, pen(BAND, 2), fill="toself", fillcolor=BAND)


def diagonal(low: float, high: float) -> dict[str, Any]:
    """Return the line on which both axes have the same value."""
    return line([low, high], [low, high], pen(MUTED, 1, "dot"))


def rings(marked: Sequence[tuple[float, float, str]], *, size: float) -> dict[str, Any]:
    """Return rings around marked trials: x, y and mark of each."""
    colours = [marked_colour(mark) for _, _, mark in marked]
    places = [x for x, _, _ in marked], [y for _, y, _ in marked]
    return points(*places, symbol="circle-open", size=size, color=colours, line={"width": 2.5})


def notes(marked: Sequence[tuple[float, float, str]]) -> list[dict[str, Any]]:
    """Return a label for each marked trial, moved off the marks: x, y and mark of each."""
    return [
        {
            "x": x,
            "y": y,
            "text": plain(mark),
            "free": True,
            "font": {"color": marked_colour(mark)},
        }
        for x, y, mark in marked
    ]


def marked_colour(mark: str) -> str:
    """Return the colour of a marked trial."""
    return ACCENT if is_accented(mark) else INK


def upright(at: float, drawn: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a line across the drawing at one x."""
    return {"type": "line", "x0": at, "x1": at, "yref": "paper", "y0": 0, "y1": 1} | {
        "line": drawn,
        **more,
    }


def baseline_at(at: float) -> dict[str, Any]:
    """Return the upright line of tuned cross-entropy."""
    return upright(at, pen(MUTED, 1.2, "dash"), layer="below")


def band(low: float, high: float) -> dict[str, Any]:
    """Return a shade from one x to another, behind everything else."""
    return {
        "type": "rect",
        "x0": low,
        "x1": high,
        "yref": "paper",
        "y0": 0,
        "y1": 1,
        "fillcolor": BAND,
        "layer": "below",
    }


def axis(title: str, **options: Any) -> dict[str, Any]:
    """Return an axis with a title."""
    return {"title": {"text": plain(title)}, **options}


def metric_axis(name: str, words: MetricWords, **options: Any) -> dict[str, Any]:
    """Return the axis of a metric: shares as percentages, the unit in the title."""
    unit = ", nats" if words.kind == "nats" else ""
    share = {"tickformat": ".2~%"} if metric_words(name).kind == "share" else {}
    return axis(words.title + unit, **share, **options)


def rows_axis(names: Sequence[str], **options: Any) -> dict[str, Any]:
    """Return the upright axis of rows with names, the first on top."""
    return axis(
        "",
        tickvals=list(range(len(names))),
        ticktext=list(names),
        range=[len(names) - 0.4, -0.6],
        tickfont={"color": INK},
        **options,
    )


def counts_axis(height: float) -> dict[str, Any]:
    """Return the axis of the share of rows, below the drawing.

    Args:
        height: Its share of the drawing's height.
    """
    return axis("Rows", tickformat=".0%", nticks=3, domain=[0, height], rangemode="tozero")


def layout(
    *,
    x: dict[str, Any],
    y: dict[str, Any],
    annotations: Sequence[dict[str, Any]] = (),
    **more: Any,
) -> dict[str, Any]:
    """Return a layout: axes, labels, shapes."""
    return {"xaxis": x, "yaxis": y, "annotations": list(annotations), **more}
