"""A drawing area of a diagnosis's figures: SVG that the page's style colours."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape

_WIDTH, _HEIGHT = 440, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 22, 12, 42


class Frame:
    """A drawing area: two axes with their ranges, and the marks in it.

    Args:
        x: Range of the horizontal axis.
        y: Range of the vertical axis.
        height: Of the whole, in units of the drawing.
    """

    def __init__(
        self, x: tuple[float, float], y: tuple[float, float], *, height: int = _HEIGHT
    ) -> None:
        self.x, self.y, self.height = x, y, height
        self.marks: list[Markup] = []

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return the place of a point."""
        across = (x - self.x[0]) / (self.x[1] - self.x[0])
        up = (y - self.y[0]) / (self.y[1] - self.y[0])
        bottom = self.height - _BOTTOM
        return (
            round(_LEFT + across * (_WIDTH - _LEFT - _RIGHT), 1),
            round(bottom - min(max(up, 0.0), 1.0) * (bottom - _TOP), 1),
        )

    def path(
        self, points: Sequence[tuple[float, float]], kind: str, *, closed: bool = False
    ) -> None:
        """Draw a line through points, or an area."""
        steps = " L".join("{} {}".format(*self.at(*point)) for point in points)
        self.marks.append(
            Markup('<path class="{}" d="M{}{}"/>').format(kind, steps, "Z" if closed else "")
        )

    def dot(self, x: float, y: float, kind: str, title: str, *, crossed: bool = False) -> None:
        """Draw a point, or a cross, with a tooltip."""
        a, b = self.at(x, y)
        if crossed:
            shape = Markup('<path class="{}" d="M{} {}l9 9m0 -9l-9 9">').format(
                kind, a - 4.5, b - 4.5
            )
            end = Markup("</path>")
        else:
            shape = Markup('<circle class="{}" cx="{}" cy="{}" r="4">').format(kind, a, b)
            end = Markup("</circle>")
        self.marks.append(shape + Markup("<title>{}</title>").format(title) + end)

    def bar(self, x: tuple[float, float], y: tuple[float, float], kind: str, title: str) -> None:
        """Draw a bar between two corners."""
        (a, b), (c, d) = self.at(x[0], y[1]), self.at(x[1], y[0])
        self.marks.append(
            Markup(
                '<rect class="{}" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>'
            ).format(kind, a, b, round(max(c - a, 0.0), 1), round(max(d - b, 0.0), 1), title)
        )

    def drawn(
        self,
        alt: str,
        x_title: str,
        y_title: str,
        x_ticks: Sequence[tuple[float, str]],
        y_ticks: Sequence[tuple[float, str]],
    ) -> Markup:
        """Return the drawing with its axes; `alt` describes it."""
        bottom = self.height - _BOTTOM
        axes: list[Markup] = []
        for value, text in x_ticks:
            place = self.at(value, self.y[0])[0]
            axes.append(
                Markup('<text class="tick" x="{}" y="{}" text-anchor="middle">{}</text>').format(
                    place, bottom + 18, text
                )
            )
        for value, text in y_ticks:
            place = self.at(self.x[0], value)[1]
            axes.append(
                Markup('<path class="grid" d="M{} {}H{}"/>').format(_LEFT, place, _WIDTH - _RIGHT)
            )
            axes.append(
                Markup('<text class="tick" x="{}" y="{}" text-anchor="end">{}</text>').format(
                    _LEFT - 6, place + 4, text
                )
            )
        axes.append(
            Markup('<text class="title" x="{}" y="{}" text-anchor="middle">{}</text>').format(
                (_LEFT + _WIDTH - _RIGHT) / 2, self.height - 6, x_title
            )
        )
        axes.append(
            Markup(
                '<text class="title" transform="translate(11 {}) rotate(-90)" '
                'text-anchor="middle">{}</text>'
            ).format((_TOP + bottom) / 2, y_title)
        )
        head = Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">')
        body = Markup("").join([*axes, *self.marks])
        return head.format(_WIDTH, self.height, escape(alt)) + body + Markup("</svg>")
