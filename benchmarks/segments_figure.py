"""Draws the figures of `benchmarks.segments` with their intervals as SVG."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from xml.sax.saxutils import escape

PANELS = {
    "error": ("Error of tokens", "{:.1%}"),
    "segment_overlap": ("Segment overlap", "{:.3f}"),
    "log_loss": ("Log loss", "{:.3f}"),
    "segments of a chain": ("Segments of a chain", "{:.1f}"),
}
LEFT, PANEL, GAP, TOP, ROW, SIZE = 250, 150, 22, 46, 30, 12
INK, MUTED, ACCENT = "#24292f", "#6e7781", "#0969da"


def draw(figures: Mapping[str, Mapping[str, list[float]]], truth: float) -> str:
    """Return the drawing: a row for each model, a panel for each figure.

    Args:
        figures: By model, each figure with the ends of its interval.
        truth: The true segments of a chain.
    """
    width = LEFT + len(PANELS) * (PANEL + GAP)
    height = TOP + ROW * len(figures) + 16
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'font-family="sans-serif" font-size="{SIZE}">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for row, name in enumerate(figures):
        parts.append(_text(LEFT - 14, _y(row) + 4, name, "end"))
    for place, (key, (title, form)) in enumerate(PANELS.items()):
        left = LEFT + place * (PANEL + GAP)
        parts.append(_text(left + PANEL / 2, 18, title, "middle"))
        ends = [value for own in figures.values() for value in own[key]]
        if key == "segments of a chain":
            ends.append(truth)
        low, high = min(ends), max(ends)
        at = partial(_x, left + 12.0, low, high)

        if key == "segments of a chain":
            x = at(truth)
            parts.append(
                f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 6}" y2="{height - 14}" '
                f'stroke="{MUTED}" stroke-dasharray="4 3"/>'
            )
            parts.append(_text(x, TOP - 12, f"truth {truth:.1f}", "end", MUTED))
        for row, (name, own) in enumerate(figures.items()):
            value, first, last = own[key]
            colour, y = (ACCENT if name.startswith("with jsd") else INK), _y(row)
            parts.append(
                f'<line x1="{at(first):.1f}" x2="{at(last):.1f}" y1="{y}" y2="{y}" '
                f'stroke="{colour}" stroke-width="2"/>'
                f'<circle cx="{at(value):.1f}" cy="{y}" r="4" fill="{colour}">'
                f"<title>{escape(form.format(value))}</title></circle>"
            )
            parts.append(_text(at(value), y - 7, form.format(value), "middle", colour, 10))
    return "\n".join([*parts, "</svg>", ""])


def _x(start: float, low: float, high: float, value: float) -> float:
    return start + (value - low) / ((high - low) or 1.0) * (PANEL - 24)


def _y(row: int) -> float:
    return TOP + ROW * row + 14


def _text(x: float, y: float, text: str, anchor: str, colour: str = INK, size: int = SIZE) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" '
        f'font-size="{size}">{escape(text)}</text>'
    )
