"""Text within a drawing: its lines, and about how wide they are."""

from __future__ import annotations

import html
import re

FONT = 13
AIR = 1.04
"""Room that a text gets at the edge of a drawing, because fonts differ a little in width."""
_NARROW = frozenset("iIjltf.,:;'|!()[]{} ·−-1")
_WIDE = frozenset("mwMWQOGDNHU%@+±")


def lines_of(text: str) -> list[str]:
    """Return the lines of a label that knows line breaks and bold type as a small HTML.

    Examples:
        >>> lines_of("<b>a &lt; b</b><br>c")
        ['a < b', 'c']
    """
    parts = re.split(r"<br>", str(text))
    return [html.unescape(re.sub(r"</?(?:b|extra)>", "", part)) for part in parts]


def text_width(text: str, size: float = FONT) -> float:
    """Return about how many pixels wide a text is."""
    units = sum(0.34 if c in _NARROW else 0.82 if c in _WIDE else 0.57 for c in text)
    return units * size


def escaped(text: str) -> str:
    """Escape text for an element or attribute, without characters that XML forbids."""
    kept = "".join(c if c.isprintable() or c == "\n" else " " for c in text)
    return html.escape(kept, quote=True)
