"""A figure of a given width as SVG: its frame, axes, marks and labels."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from autoloss.report.svg.axes import Axis, left_margin, make_axis
from autoloss.report.svg.labels import LEADING, labels, text_element
from autoloss.report.svg.marks import drawn, number, stroke
from autoloss.report.svg.text import AIR, FONT, escaped, lines_of, text_width

WIDTHS = (330, 480, 720)
"""The widths in CSS pixels that every figure is drawn for; the page shows the width that fits."""
_TOP, _RIGHT, _SLACK = 12.0, 16.0, 5.0


def figure_svg(spec: dict[str, Any], *, width: int, height: int, name: str) -> str:
    """Return a drawing.

    Args:
        spec: ``{"data": [...], "layout": {...}}``: traces of type ``"scatter"`` or ``"bar"`` and
            the axes, in the words of plotly's figures.
        width: In CSS pixels.
        height: In CSS pixels.
        name: A name that is unique on the page.

    Returns:
        One ``svg`` element. Colours are the page's variables; every text is escaped.
    """
    layout, data = spec["layout"], spec["data"]
    x, uprights = axes_of(layout, data, width, height)
    parts = [
        f'<svg class="w{width}" viewBox="0 0 {width} {height}" aria-hidden="true" '
        f'focusable="false" font-size="{FONT}">',
        *_shapes(layout, x, uprights["y"], is_below=True),
        *_frame(x, uprights, height),
        *(_clip(f"{name}-{key}", x, one) for key, one in uprights.items()),
    ]
    for trace in data:
        family = trace.get("meta", {}).get("family")
        own = f' data-family="{escaped(family)}"' if family else ""
        key = trace.get("yaxis", "y")
        clipped = f' clip-path="url(#{name}-{key})"' if trace.get("cliponaxis", True) else ""
        marks = "".join(drawn(trace, x, uprights[key]))
        if marks:
            parts.append(f"<g{own}{clipped}>{marks}</g>")
    parts.extend(_shapes(layout, x, uprights["y"], is_below=False))
    parts.extend(labels(layout, data, x, uprights["y"], width))
    return "".join([*parts, "</svg>"])


def axes_of(
    layout: dict[str, Any], data: list[dict[str, Any]], width: int, height: int
) -> tuple[Axis, dict[str, Axis]]:
    """Return the level axis and the upright axes, with room for their labels."""
    names = {"y": "yaxis", **({"y2": "yaxis2"} if "yaxis2" in layout else {})}
    x_title = _title(layout["xaxis"])
    floor = height - 24.0 - (FONT + 9.0 if x_title else 0.0)
    uprights: dict[str, Axis] = {}
    for name, key in names.items():
        options = layout[key]
        low, high = options.get("domain", (0.0, 1.0))
        traces = [trace for trace in data if trace.get("yaxis", "y") == name]
        size = floor - _TOP
        uprights[name] = make_axis(
            options,
            [v for t in traces for v in _numbers(t["y"])],
            floor - low * size,
            floor - high * size,
            zero=any(t["type"] == "bar" and t.get("orientation") != "h" for t in traces),
        )
    left = max(
        left_margin(one.ticks(is_level=False), _title(one.options)) for one in uprights.values()
    )
    left = min(left, 0.45 * width)
    values = [v for trace in data for v in _numbers(trace["x"])]
    is_lying = any(trace.get("orientation") == "h" for trace in data)
    x = make_axis(layout["xaxis"], values, left, width - _RIGHT, zero=is_lying)
    return x, uprights


def _clip(name: str, x: Axis, y: Axis) -> str:
    """Return the box that marks stay in, a little larger than the axes so that none is halved."""
    top = min(y.start, y.end) - _SLACK
    box = f'x="{number(x.start - _SLACK)}" y="{number(top)}" width="{number(x.span + 2 * _SLACK)}"'
    height = number(y.span + 2 * _SLACK)
    return f'<clipPath id="{name}"><rect {box} height="{height}"/></clipPath>'


def _frame(x: Axis, uprights: dict[str, Axis], height: int) -> Iterator[str]:
    """Yield the grid, the values at the axes and the axes' titles."""
    bottom = _bottom(uprights)
    has_grid = x.options.get("showgrid", True)
    for value, lines in x.ticks(is_level=True):
        px = x.at(value)
        if not x.start - 1 <= px <= x.end + 1:
            continue
        if has_grid:
            for one in uprights.values():
                path = f"M{number(px)} {number(one.start)}V{number(one.end)}"
                yield f'<path class="grid" d="{path}"/>'
        half = 0.5 * text_width(lines[0])
        # Fonts differ a little in width, and the drawing ends here.
        middle = min(px, x.end + _RIGHT - 1.3 * half)
        yield text_element(lines[:1], middle, bottom + 17, "middle", "tick")
    if title := _title(x.options):
        title = _fitted(title, (x.end + _RIGHT) / AIR)
        wide = AIR * text_width(title)
        middle = min(0.5 * (x.start + x.end), x.end + _RIGHT - 0.5 * wide)
        yield text_element([title], max(middle, 0.5 * wide), height - 6, "middle", "tick")
    for one in uprights.values():
        yield from _upright(x, one)


def _upright(x: Axis, one: Axis) -> Iterator[str]:
    """Yield the grid and the values of one upright axis."""
    has_grid = one.options.get("showgrid", True)
    top, bottom = sorted((one.start, one.end))
    colour = one.options.get("tickfont", {}).get("color")
    is_named = "ticktext" in one.options
    for value, lines in one.ticks(is_level=False):
        py = one.at(value)
        if not top - 1 <= py <= bottom + 1:
            continue
        if has_grid:
            path = f"M{number(x.start)} {number(py)}H{number(x.end)}"
            yield f'<path class="grid" d="{path}"/>'
        shown = [_fitted(line, x.start - 8) for line in lines] if is_named else lines
        first = py + 4.5 - 0.5 * LEADING * (len(shown) - 1)
        yield text_element(shown, x.start - 8, first, "end", "tick", colour=colour)
    if title := _title(one.options):
        middle, column = 0.5 * (top + bottom), FONT
        fitted = _fitted(title, bottom - top + 40)
        yield (
            f'<text class="tick" text-anchor="middle" transform="translate({number(column)} '
            f'{number(middle)})rotate(-90)">{escaped(fitted)}</text>'
        )


def _shapes(layout: dict[str, Any], x: Axis, y: Axis, *, is_below: bool) -> Iterator[str]:
    """Yield lines and areas that no trace draws."""
    for shape in layout.get("shapes", ()):
        if (shape.get("layer") == "below") != is_below:
            continue
        ends_x, ends_y = (
            [_place(shape[f"{name}{end}"], one, shape.get(f"{name}ref")) for end in "01"]
            for name, one in (("x", x), ("y", y))
        )
        low, high = sorted(min(max(px, x.start), x.end) for px in ends_x)
        if shape["type"] == "rect":
            top, bottom = sorted(ends_y)
            yield (
                f'<rect x="{number(low)}" y="{number(top)}" width="{number(high - low)}" '
                f'height="{number(bottom - top)}" fill="{shape["fillcolor"]}"/>'
            )
        elif all(x.start - 1 <= px <= x.end + 1 for px in ends_x):
            path = f"M{number(ends_x[0])} {number(ends_y[0])}L{number(ends_x[1])} "
            yield f'<path d="{path}{number(ends_y[1])}" fill="none" {stroke(shape["line"])}/>'


def _fitted(text: str, room: float) -> str:
    """Return a text, cut to the width of its room."""
    if text_width(text) <= room:
        return text
    while len(text) > 1 and text_width(text + "…") > room:
        text = text[:-1]
    return text.rstrip() + "…"


def _place(value: float, axis: Axis, ref: str | None) -> float:
    if ref == "paper":
        return axis.start + value * (axis.end - axis.start)
    return axis.at(value)


def _title(options: dict[str, Any]) -> str:
    return " ".join(lines_of(options.get("title", {}).get("text", "")))


def _bottom(uprights: dict[str, Axis]) -> float:
    return max(one.start if one.start > one.end else one.end for one in uprights.values())


def _numbers(values: Any) -> list[float]:
    return [float(v) for v in values if isinstance(v, int | float) and math.isfinite(v)]
