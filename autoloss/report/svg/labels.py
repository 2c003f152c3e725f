"""Labels of a drawing: texts at their points, moved off the marks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from autoloss.report.svg.axes import Axis
from autoloss.report.svg.marks import number, one_of, stroke
from autoloss.report.svg.text import AIR, escaped, lines_of, text_width

LEADING = 16.0
"""Distance of two lines of text, in pixels."""
# How far from its point a label is tried, in pixels; from the third on a thread leads to it.
_DISTANCES = (14.0, 20.0, 36.0, 56.0, 80.0, 110.0, 150.0, 200.0)
_NEAR = 20.0
# How far from its point a thread begins.
_GAP = 11.0
# Towards which sides it is tried, the easiest to read first.
_SIDES = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1))


@dataclass(frozen=True)
class Box:
    """A part of the drawing, in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    def holds(self, point: tuple[float, float]) -> bool:
        """Return whether it contains a point."""
        return self.left <= point[0] <= self.right and self.top <= point[1] <= self.bottom

    def common(self, other: Box) -> float:
        """Return the area that both cover."""
        wide = min(self.right, other.right) - max(self.left, other.left)
        high = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(wide, 0.0) * max(high, 0.0)


Thread = tuple[tuple[float, float], tuple[float, float]]


@dataclass(frozen=True)
class _Place:
    """The place of a label: its text, and the end of its thread, or None without a thread."""

    x: float
    y: float
    anchor: str
    thread: tuple[float, float] | None


def labels(
    layout: dict[str, Any], data: Sequence[dict[str, Any]], x: Axis, y: Axis, width: int
) -> Iterator[str]:
    """Yield the labels with threads to their points.

    A note with ``"free": True`` is placed where it covers no mark and no other label. Any other
    note keeps its place, moved into the drawing if necessary.
    """
    texts, marks = [], list(mark_boxes(data, x, y))
    placed: list[tuple[Box, Thread | None]] = []
    frame = Box(x.start, min(y.start, y.end), width - 2.0, max(y.start, y.end))
    for note in layout.get("annotations", ()):
        px, py = x.at(note["x"]), y.at(note["y"])
        if not (math.isfinite(px) and math.isfinite(py)):
            continue
        px = min(max(px, x.start), x.end)
        lines = lines_of(note["text"])
        wide = AIR * max(map(text_width, lines))
        size = wide, LEADING * len(lines)
        if note.get("free"):
            place = _free_place((px, py), size, marks, placed, frame)
        else:
            place = _own_place(note, px, py)
        start = place.x - {"start": 0.0, "end": wide, "middle": 0.5 * wide}[place.anchor]
        moved = max(0.0, start + wide - (width - 2)) + min(0.0, start - 2)
        colour = note["font"]["color"]
        if place.thread is not None:
            yield from _thread((px, py), place.thread, colour)
        texts.append(
            text_element(
                lines, place.x - moved, place.y + 4.5, place.anchor, "note", colour=colour
            )
        )
        top, left = place.y - 0.5 * LEADING, start - moved
        box = Box(left, top, left + wide, top + LEADING * len(lines))
        placed.append((box, place.thread and ((px, py), place.thread)))
    # Last, so that no thread runs through a label.
    yield from texts


def mark_boxes(data: Sequence[dict[str, Any]], x: Axis, y: Axis) -> Iterator[Box]:
    """Yield the areas that the symbols of a drawing cover."""
    for trace in data:
        if trace["type"] != "scatter" or "markers" not in trace.get("mode", "lines"):
            continue
        size = trace["marker"].get("size", 6)
        for place, (a, b) in enumerate(zip(trace["x"], trace["y"], strict=True)):
            if a is None or b is None or not (math.isfinite(a) and math.isfinite(b)):
                continue
            half = 0.5 * float(one_of(size, place)) + 1.0
            px, py = x.at(a), y.at(b)
            yield Box(px - half, py - half, px + half, py + half)


def text_element(
    lines: list[str], px: float, py: float, anchor: str, kind: str, *, colour: str | None = None
) -> str:
    """Return a text of one line or several."""
    paint = f' fill="{colour}"' if colour else ""
    head = f'<text class="{kind}" text-anchor="{anchor}"{paint}'
    if len(lines) == 1:
        return f'{head} x="{number(px)}" y="{number(py)}">{escaped(lines[0])}</text>'
    spans = "".join(
        f'<tspan x="{number(px)}" y="{number(py + row * LEADING)}">{escaped(line)}</tspan>'
        for row, line in enumerate(lines)
    )
    return f"{head}>{spans}</text>"


def _free_place(
    point: tuple[float, float],
    size: tuple[float, float],
    marks: Sequence[Box],
    placed: Sequence[tuple[Box, Thread | None]],
    frame: Box,
) -> _Place:
    """Return the nearest place where a label covers nothing, else where it covers least."""
    (px, py), (wide, high) = point, size
    best = math.inf, _Place(px, py, "middle", None)
    for far, (right, down) in product(_DISTANCES, _SIDES):
        tx, ty = px + right * far, py + down * far
        left = tx - {1: 0.0, 0: 0.5 * wide, -1: wide}[right]
        box = Box(left, ty - 0.5 * LEADING, left + wide, ty - 0.5 * LEADING + high)
        thread = (tx, ty - down * 0.5 * LEADING) if far > _NEAR else None
        covered = sum(box.common(other) for other in marks)
        covered += sum(box.common(other) for other, _ in placed)
        covered += 10.0 * (wide * high - box.common(frame))
        covered += _crossed(box, thread and (point, thread), placed)
        if covered < best[0] - 1e-6:
            anchor = {1: "start", 0: "middle", -1: "end"}[right]
            best = covered, _Place(tx + 3.0 * right, ty, anchor, thread)
        if covered <= 1e-6:
            break
    return best[1]


def _crossed(
    box: Box, thread: Thread | None, placed: Sequence[tuple[Box, Thread | None]]
) -> float:
    """Return how far threads would run through labels."""
    found = 0.0
    for other, its_thread in placed:
        found += sum(map(other.holds, _along(thread))) + sum(map(box.holds, _along(its_thread)))
    return 100.0 * found


def _along(thread: Thread | None) -> Iterator[tuple[float, float]]:
    """Yield points along a thread, close enough that no label lies between them."""
    if thread is not None:
        (x, y), (to_x, to_y) = thread
        for place in range(41):
            share = place / 40
            yield x + share * (to_x - x), y + share * (to_y - y)


def _own_place(note: dict[str, Any], px: float, py: float) -> _Place:
    """Return the place that a note names."""
    anchor = {"left": "start", "right": "end"}.get(note.get("xanchor", "center"), "middle")
    return _Place(px + note.get("xshift", 0), py, anchor, None)


def _thread(point: tuple[float, float], end: tuple[float, float], colour: str) -> Iterator[str]:
    """Yield the line from a point to its label; none if they are close."""
    (px, py), (tx, ty) = point, end
    size = math.hypot(tx - px, ty - py) or 1.0
    if size <= _GAP:
        return
    first = (px + _GAP * (tx - px) / size, py + _GAP * (ty - py) / size)
    path = f"M{number(first[0])} {number(first[1])}L{number(tx)} {number(ty)}"
    line = {"color": colour, "width": 1.2}
    yield f'<path d="{path}" fill="none" {stroke(line)}/>'
