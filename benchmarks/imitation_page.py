"""The page on imitation: its tables, sentences and figure, from the results of the benchmark."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.imitation import HORIZONS, quadratic_bound

BEGIN, END = "<!-- results: python -m benchmarks.imitation --page -->", "<!-- end of results -->"
SOURCES = {
    "expert": "expert rows",
    "aggregated": "plus as many clone states",
    "more expert": "plus as many expert rows",
}
INK, MUTED, ACCENT, BLUE = "#24292f", "#6e7781", "#cf222e", "#0969da"
LEFT, TOP, WIDTH, HEIGHT, GAP = 56, 48, 300, 220, 70

Row = Mapping[str, Any]


def written(page: str, results: Mapping[str, Any]) -> str:
    """Return the page with the tables and sentences of the results between its marks."""
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{_body(results)}\n{END}{tail}"


def _body(results: Mapping[str, Any]) -> str:
    budget, rows = results["budget"], results["policies"]
    parts = [
        f"The expert shows {budget['demonstrations']} episodes of {budget['steps']} steps, "
        f"{budget['demonstrations'] * budget['steps']} rows; a search has {budget['trials']} "
        f"trials; every policy plays {budget['episodes']} episodes of at most {HORIZONS[-1]} "
        "steps. *Disagrees*: the share of the states in the expert's episodes in which the clone "
        "decides differently. Returns have 95% intervals over episodes. The finalists are the "
        "best of each family, the lowest error, and default and tuned cross-entropy."
    ]
    for noise in sorted({one["noise"] for one in rows}):
        some = [one for one in rows if one["noise"] == noise]
        verdict = next(
            one["text"]
            for one in results["verdicts"]
            if (one["noise"], one["data"]) == (noise, "expert")
        )
        parts += [_title(noise), _table(some), _sentences(some)]
        parts += [f"The verdict of the search on the expert rows: *{verdict}*", _bounds(some)]
    return "\n\n".join([*parts, _orders(rows)])


def _orders(rows: Sequence[Row]) -> str:
    """Return in how many searches log loss and return name the same finalist."""
    same = plain = 0
    searches = sorted({(one["noise"], one["data"]) for one in rows})
    for search in searches:
        own = [one for one in rows if (one["noise"], one["data"]) == search]
        best = max(own, key=lambda one: one["returned"])
        same += best is min(own, key=lambda one: one["log_loss"])
        plain += best["loss"].startswith("cross_entropy")
    return (
        f"In {same} of {len(searches)} searches the finalist with the lowest log loss on held-out "
        f"demonstrations also has the largest return; in {plain} of them a finalist of "
        "cross-entropy has the largest return."
    )


def _title(noise: float) -> str:
    if not noise:
        return "### The expert's own actions"
    return f"### {noise:.0%} of the expert's actions flipped"


def _table(rows: Sequence[Row]) -> str:
    lines = [
        "| Training data | Loss | Log loss | Disagrees | Return |",
        "|---|---|---:|---:|---:|",
    ]
    for one in rows:
        loss = _name(one) + (" **recommended**" if one["is_recommended"] else "")
        lines.append(
            f"| {SOURCES[one['data']]} | {loss} | {one['log_loss']:.3f} | "
            f"{one['disagrees'][-1]:.1%} | "
            f"{one['returned']:.0f} ({one['low']:.0f} to {one['high']:.0f}) |"
        )
    return "\n".join(lines)


def _name(one: Row) -> str:
    """Return the loss of a policy, with the reason for it unless it is the best of its family."""
    reasons = [why for why in one["why"].split(", ") if not why.startswith("best of ")]
    return f"`{one['loss']}`" + (f" ({', '.join(reasons)})" if reasons else "")


def _sentences(rows: Sequence[Row]) -> str:
    """Return the meaning of the figures of one noise, and no more."""
    first = [one for one in rows if one["data"] == "expert"]
    best = max(first, key=lambda one: one["returned"])
    lowest = min(first, key=lambda one: one["log_loss"])
    text = [
        f"Of the clones trained on expert rows, {_name(best)} has the largest return, "
        f"{best['returned']:.0f} steps, and {_name(lowest)} the lowest log loss, with a return "
        f"of {lowest['returned']:.0f}."
    ]
    apart = [one for one in first if one["high"] < best["low"]]
    names = ", ".join(map(_name, apart))
    text.append(
        f"The intervals of {names} lie below the largest return."
        if apart
        else "No interval lies below the largest return: the losses show no clear difference."
    )
    own, more, control = (_mean(rows, data) for data in SOURCES)
    text.append(
        f"The mean return of the finalists is {own:.0f} with the expert rows, {more:.0f} after a "
        f"round of data aggregation, and {control:.0f} with as many additional expert rows."
    )
    return " ".join(text)


def _bounds(rows: Sequence[Row]) -> str:
    one = _shown(rows, "expert")
    after = _shown(rows, "aggregated")
    lines = [
        f"Steps lost by the clone with `{one['loss']}` up to a horizon T, with the bounds from "
        "its disagreement e in the first T steps:",
        "",
        "| T | e | T e | T² e, at most T | Lost | Lost after data aggregation |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    columns = zip(HORIZONS, one["disagrees"], one["lost"], after["lost"], strict=True)
    for horizon, error, lost, again in columns:
        lines.append(
            f"| {horizon} | {error:.1%} | {horizon * error:.1f} | "
            f"{quadratic_bound(error, horizon):.1f} | {lost:.1f} | {again:.1f} |"
        )
    return "\n".join(lines)


def _shown(rows: Sequence[Row], data: str) -> Row:
    """Return the recommended clone of some data."""
    return next(one for one in rows if one["data"] == data and one["is_recommended"])


def _mean(rows: Sequence[Row], data: str) -> float:
    returns = [one["returned"] for one in rows if one["data"] == data]
    return math.fsum(returns) / len(returns)


def draw(results: Mapping[str, Any]) -> str:
    """Return the lost steps over the horizon with the bounds as SVG, a panel for each noise."""
    rows = results["policies"]
    noises = sorted({one["noise"] for one in rows})
    width = LEFT + len(noises) * (WIDTH + GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {TOP + HEIGHT + 60}" '
        f'width="{width}" font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{TOP + HEIGHT + 60}" fill="white"/>',
    ]
    for place, noise in enumerate(noises):
        some = [one for one in rows if one["noise"] == noise]
        left = LEFT + place * (WIDTH + GAP)
        title = "the expert's own actions" if not noise else f"{noise:.0%} flipped"
        parts += [_text(left, 18, f"Steps lost up to T: {title}"), *_axes(left)]
        one, after = _shown(some, "expert"), _shown(some, "aggregated")
        pairs = list(zip(HORIZONS, one["disagrees"], strict=True))
        parts += [
            _line(left, [(t, quadratic_bound(e, t)) for t, e in pairs], MUTED, "6 4"),
            _line(left, [(t, t * e) for t, e in pairs], MUTED, "2 3"),
            _line(left, list(zip(HORIZONS, one["lost"], strict=True)), ACCENT),
            _line(left, list(zip(HORIZONS, after["lost"], strict=True)), BLUE),
        ]
    bottom, x = TOP + HEIGHT + 48, float(LEFT)
    for name, colour, dash in (
        ("bound T² e", MUTED, "6 4"),
        ("T e", MUTED, "2 3"),
        ("clone", ACCENT, ""),
        ("after data aggregation", BLUE, ""),
    ):
        parts.append(
            f'<line x1="{x}" x2="{x + 28}" y1="{bottom - 4}" y2="{bottom - 4}" stroke="{colour}" '
            f'stroke-width="2" stroke-dasharray="{dash}"/>'
        )
        parts.append(_text(x + 34, bottom, name))
        x += 60 + 7 * len(name)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _at(left: float, horizon: float, lost: float) -> tuple[float, float]:
    """Return the place of a point: both axes grow with the root, so that small ones are seen."""
    largest = math.sqrt(HORIZONS[-1])
    x, y = math.sqrt(horizon) / largest, math.sqrt(min(lost, HORIZONS[-1])) / largest
    return left + WIDTH * x, TOP + HEIGHT * (1 - y)


def _line(left: float, points: Sequence[tuple[float, float]], colour: str, dash: str = "") -> str:
    places = " ".join("{:.1f},{:.1f}".format(*_at(left, *one)) for one in points)
    return (
        f'<polyline points="{places}" fill="none" stroke="{colour}" stroke-width="2" '
        f'stroke-dasharray="{dash}"/>'
    )


def _axes(left: float) -> list[str]:
    parts = []
    for tick in (0, 10, 50, 100, 200, 500):
        x, y = _at(left, tick, tick)
        parts.append(
            f'<line x1="{left}" x2="{left + WIDTH}" y1="{y:.1f}" y2="{y:.1f}" stroke="#d0d7de"/>'
        )
        parts.append(_text(left - 6, y + 4, f"{tick}", "end"))
        parts.append(_text(x, TOP + HEIGHT + 18, f"{tick}", "middle"))
    return parts


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{INK}" text-anchor="{anchor}">{text}</text>'
