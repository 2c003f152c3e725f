"""The marks of a drawing: lines, symbols, bars and intervals."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from autoloss.report.svg.axes import Axis
from autoloss.report.svg.text import escaped, lines_of

_DASHES = {"solid": "", "dot": "1.5 3", "dash": "7 4", "dashdot": "7 3 1.5 3", "longdash": "12 4"}
# A symbol of size 1, as a path of points around the origin.
_CORNERS = {
    "square": ((-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)),
    "diamond": ((0, -0.6), (0.6, 0), (0, 0.6), (-0.6, 0)),
    "triangle-up": ((0, -0.58), (0.58, 0.46), (-0.58, 0.46)),
    "triangle-down": ((0, 0.58), (0.58, -0.46), (-0.58, -0.46)),
    "cross": (
        *((-0.17, -0.5), (0.17, -0.5), (0.17, -0.17), (0.5, -0.17), (0.5, 0.17), (0.17, 0.17)),
        *((0.17, 0.5), (-0.17, 0.5), (-0.17, 0.17), (-0.5, 0.17), (-0.5, -0.17), (-0.17, -0.17)),
    ),
    "x": (
        *((-0.28, -0.52), (0, -0.24), (0.28, -0.52), (0.52, -0.28), (0.24, 0), (0.52, 0.28)),
        *((0.28, 0.52), (0, 0.24), (-0.28, 0.52), (-0.52, 0.28), (-0.24, 0), (-0.52, -0.28)),
    ),
}


def drawn(trace: dict[str, Any], x: Axis, y: Axis) -> Iterator[str]:
    """Yield the elements of a trace."""
    if trace["type"] == "bar":
        yield from _bars(trace, x, y)
        return
    points = list(zip(trace["x"], trace["y"], strict=True))
    mode = trace.get("mode", "lines")
    if "error_x" in trace:
        yield from _intervals(trace, points, x, y)
    if "lines" in mode:
        yield from _lines(trace, points, x, y)
    if "markers" in mode:
        yield from _symbols(trace, points, x, y)


def number(value: float) -> str:
    """Return a pixel with one decimal, as short as it can be."""
    text = f"{value:.1f}"
    return text[:-2] if text.endswith(".0") else text


def stroke(line: dict[str, Any]) -> str:
    """Return the attributes of a line: colour, width, dashes."""
    dash = line.get("dash", "solid")
    pattern = _DASHES.get(dash, str(dash).replace("px", "").replace(",", " "))
    dashes = f' stroke-dasharray="{pattern}"' if pattern else ""
    return f'stroke="{line.get("color", "currentColor")}" stroke-width="{line["width"]:g}"{dashes}'


def _lines(
    trace: dict[str, Any], points: list[tuple[Any, Any]], x: Axis, y: Axis
) -> Iterator[str]:
    """Yield the line of a trace; one per part if its parts have numbers."""
    name = trace.get("name", "")
    if "customdata" not in trace:
        yield _line(trace, points, x, y, name)
        return
    first = 0
    for last in [n for n, (a, _) in enumerate(points) if a is None]:
        own = name.replace("%{customdata}", str(trace["customdata"][first]))
        yield _line(trace, points[first:last], x, y, own)
        first = last + 1


def _line(
    trace: dict[str, Any], points: list[tuple[Any, Any]], x: Axis, y: Axis, name: str
) -> str:
    """Return a line through the points, with gaps where a point is missing."""
    steps, pen = [], "M"
    before = None
    is_stair = trace["line"].get("shape") == "hv"
    for a, b in points:
        if not (_is_there(a) and _is_there(b)):
            pen, before = "M", None
            continue
        px, py = x.at(a), _within(y.at(b))
        if is_stair and before is not None:
            steps.append(f"H{number(px)}V{number(py)}")
        else:
            steps.append(f"{pen}{number(px)} {number(py)}")
        pen, before = "L", (px, py)
    fill = trace.get("fillcolor", "none") if trace.get("fill") == "toself" else "none"
    end = "Z" if fill != "none" and steps else ""
    title = _title(lines_of(name)) if name else ""
    opacity = f' opacity="{trace["opacity"]:g}"' if "opacity" in trace else ""
    path = f'd="{"".join(steps)}{end}" fill="{fill}" {stroke(trace["line"])}{opacity}'
    return f"<path {path}>{title}</path>" if title else f"<path {path}/>"


def _symbols(
    trace: dict[str, Any], points: list[tuple[Any, Any]], x: Axis, y: Axis
) -> Iterator[str]:
    """Yield a symbol per point, with a hover label."""
    marker, texts = trace["marker"], trace.get("hovertext")
    for place, (a, b) in enumerate(points):
        if not (_is_there(a) and _is_there(b)):
            continue
        symbol = str(one_of(marker.get("symbol", "circle"), place))
        colour = one_of(marker.get("color", trace.get("line", {}).get("color")), place)
        size = float(one_of(marker.get("size", 6), place))
        line = marker.get("line", {})
        width = float(one_of(line.get("width", 0), place))
        is_open = symbol.endswith("-open")
        if is_open:
            paint = f'fill="none" stroke="{colour}" stroke-width="{width or 1:g}"'
        else:
            edge = one_of(line.get("color"), place)
            paint = f'fill="{colour}"'
            if edge and width:
                paint += f' stroke="{edge}" stroke-width="{width:g}"'
        opacity = one_of(marker.get("opacity", 1.0), place)
        paint += f' opacity="{opacity:g}"' if opacity != 1.0 else ""
        shape = _shape(symbol.removesuffix("-open"), x.at(a), _within(y.at(b)), size)
        title = _title(lines_of(texts[place])) if texts else ""
        tag = shape.partition(" ")[0]
        yield f"<{shape} {paint}>{title}</{tag}>" if title else f"<{shape} {paint}/>"


def _shape(symbol: str, px: float, py: float, size: float) -> str:
    """Return the element of a symbol, without its paint."""
    if symbol == "line-ns":
        half = 0.5 * size
        return f'path d="M{number(px)} {number(py - half)}v{number(size)}"'
    corners = _CORNERS.get(symbol)
    if corners is None:
        return f'circle cx="{number(px)}" cy="{number(py)}" r="{number(0.5 * size)}"'
    path = "L".join(f"{number(px + size * a)} {number(py + size * b)}" for a, b in corners)
    return f'path d="M{path}Z"'


def _bars(trace: dict[str, Any], x: Axis, y: Axis) -> Iterator[str]:
    """Yield the bars, lying or standing, and the text at their ends."""
    is_lying = trace.get("orientation") == "h"
    along, across = (x, y) if is_lying else (y, x)
    lengths, places = (trace["x"], trace["y"]) if is_lying else (trace["y"], trace["x"])
    marker, texts = trace["marker"], trace.get("hovertext")
    half = 0.5 * float(trace.get("width", 0.7))
    opacity = f' opacity="{marker["opacity"]:g}"' if "opacity" in marker else ""
    is_plain = texts is None and "text" not in trace and not isinstance(marker["color"], list)
    path = []
    for n, (length, place) in enumerate(zip(lengths, places, strict=True)):
        base = one_of(trace.get("base", 0.0), n)
        if not (_is_there(length) and _is_there(place) and _is_there(base)):
            continue
        floor = along.start if along.log else along.at(base)
        first, last = sorted((floor, along.at(base + length)))
        low, high = sorted((across.at(place - half), across.at(place + half)))
        if high - low < 1.5:
            low, high = 0.5 * (low + high) - 0.75, 0.5 * (low + high) + 0.75
        box = (first, low, last, high) if is_lying else (low, first, high, last)
        if is_plain:
            # Without hover labels a single path serves all bars, in a tenth of the text.
            left, top, right, bottom = map(number, box)
            path.append(f"M{left} {top}H{right}V{bottom}H{left}Z" if last > first else "")
            continue
        title = _title(lines_of(texts[n])) if texts else ""
        size = f'width="{number(box[2] - box[0])}" height="{number(box[3] - box[1])}"'
        where = f'x="{number(box[0])}" y="{number(box[1])}" {size}'
        yield f'<rect {where} fill="{one_of(marker["color"], n)}"{opacity}>{title}</rect>'
        if "text" in trace:
            yield (
                f'<text x="{number(last + 6)}" y="{number(0.5 * (low + high) + 4.5)}" '
                f'fill="var(--ink)">{escaped(str(trace["text"][n]))}</text>'
            )
    if any(path):
        yield f'<path d="{"".join(path)}" fill="{marker["color"]}"{opacity}/>'


def _intervals(
    trace: dict[str, Any], points: list[tuple[Any, Any]], x: Axis, y: Axis
) -> Iterator[str]:
    """Yield a line across each point."""
    error = trace["error_x"]
    if not error.get("visible", True):
        return
    ends = zip(points, error["array"], error["arrayminus"], strict=True)
    for (a, b), more, less in ends:
        if _is_there(a) and _is_there(more) and _is_there(less):
            line = {"color": error["color"], "width": error["thickness"]}
            row = number(y.at(b))
            path = f"M{number(x.at(a - less))} {row}H{number(x.at(a + more))}"
            yield f'<path d="{path}" fill="none" {stroke(line)}/>'


def _title(lines: list[str]) -> str:
    return f"<title>{escaped(chr(10).join(lines))}</title>"


def one_of(value: Any, place: int) -> Any:
    """Return the value of a point: its own, or the common value."""
    return value[place] if isinstance(value, list) else value


def _is_there(value: Any) -> bool:
    return value is not None and math.isfinite(value)


def _within(pixel: float) -> float:
    """Return a pixel that every renderer can hold."""
    return min(max(pixel, -5000.0), 5000.0)
