"""The display of values: a few lines of text, and a small table in a notebook."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

Pairs = tuple[tuple[str, str], ...]
# Controls but tabs and line ends, marks that turn the direction of writing, and halves of pairs.
_STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


@dataclass(frozen=True)
class Card:
    """The display of a value in a few lines.

    Args:
        title: The title.
        pairs: Names and texts, a line each.
    """

    title: str
    pairs: Pairs = ()

    def text(self) -> str:
        """Return the card as lines of text.

        Examples:
            >>> print(Card("Trial 3", (("loss", "focal"), ("error", "0.1"))).text())
            Trial 3
              loss   focal
              error  0.1
        """
        width = max((len(name) for name, _ in self.pairs), default=0)
        lines = [f"  {name:<{width}}  {text}" for name, text in self.pairs]
        return "\n".join([self.title, *lines])

    def html(self) -> str:
        """Return the card as an HTML table for a notebook."""
        rows = "".join(
            f'<tr><th style="text-align:left">{html.escape(name)}</th>'
            f'<td style="text-align:left">{html.escape(text)}</td></tr>'
            for name, text in self.pairs
        )
        return f"<div><strong>{html.escape(self.title)}</strong><table>{rows}</table></div>"


class Shown:
    """A value that prints as a card."""

    def _card(self) -> Card:
        """Return the value in a few lines."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return self._card().text()

    def _repr_html_(self) -> str:
        return self._card().html()


def figures(values: Iterable[tuple[str, float]]) -> str:
    """Return the finite figures by name in one line.

    Examples:
        >>> figures([("error", 0.123456), ("auroc", float("nan"))])
        'error 0.1235'
    """
    return ", ".join(f"{name} {value:.4g}" for name, value in values if math.isfinite(value))


def printable(text: str) -> str:
    r"""Return a text whose characters that would steer a terminal are replaced.

    Examples:
        >>> print(printable("red\x1b[2J"))
        red�[2J
    """
    return _STEERING.sub("\N{REPLACEMENT CHARACTER}", text)
