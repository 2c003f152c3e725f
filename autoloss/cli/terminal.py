"""The terminal: its two consoles, and spellings of the characters that its encoding lacks."""

from __future__ import annotations

import codecs
import os
import sys
from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from autoloss.core.display import printable

_DUMB = ("dumb", "unknown")
_HANDLER = "autoloss.spelt"
_SPELT = {
    "α": "alpha",
    "β": "beta",
    "γ": "gamma",
    "δ": "delta",
    "ε": "epsilon",
    "η": "eta",
    "κ": "kappa",
    "λ": "lambda",
    "μ": "mu",
    "ξ": "xi",
    "π": "pi",
    "σ": "sigma",
    "τ": "tau",
    "φ": "phi",
    "ψ": "psi",
    "₊": "+",
    "₋": "-",
    "⁻": "-",
    "²": "^2",
    "³": "^3",
    "∂": "d",
    "→": "->",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "−": "-",
    "–": "-",
    "×": "x",
    "·": "*",
    "∈": "in",
    "∞": "infinity",
    "…": "...",
    "±": "+/-",
    "½": "1/2",
    "█": "#",
    "▌": "#",
    "•": "*",
    "─": "-",
    "━": "-",
    "╸": "-",
    "╺": "-",
    "│": "|",
    "’": "'",
    "“": '"',
    "”": '"',
}


class _Terminal(Console):
    """A console that names and labels of the data cannot steer."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Yield the pieces of a value."""
        for one in super().render(renderable, options):
            yield one if one.control else Segment(printable(one.text), one.style)


def output() -> Console:
    """Return the console of results."""
    return _console(stderr=False)


def messages() -> Console:
    """Return the console of progress and notes."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    """Return a console with styles in a terminal, and without moving lines elsewhere."""
    plain = is_plain()
    stream = sys.stderr if stderr else sys.stdout
    return _Terminal(
        stderr=stderr,
        highlight=False,
        emoji=False,
        markup=False,
        force_terminal=False if plain else None,
        # FORCE_COLOR asks for colours in a log, where a moving line would be noise.
        force_interactive=not plain and stream.isatty(),
    )


def is_plain() -> bool:
    """Return whether the user or the terminal asks for output without styles."""
    return bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM", "").lower() in _DUMB


def make_showable() -> None:
    """Let standard output and error spell out the characters that their encodings lack.

    A console that cannot show a character must not end a search of an hour.
    """
    codecs.register_error(_HANDLER, _spelt_out)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=_HANDLER)


def _spelt_out(error: UnicodeError) -> tuple[str | bytes, int]:
    """Return the spelling of the characters that cannot be encoded, and the next position."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    return spell(missing), error.end


def spelt(text: str, encoding: str) -> str:
    """Return text in which the characters that an encoding lacks are spelt out.

    Examples:
        >>> spelt("(1 - p)^γ", "ascii"), spelt("(1 - p)^γ", "utf-8")
        ('(1 - p)^gamma', '(1 - p)^γ')
    """
    if can_show(text, encoding):
        return text
    return "".join(one if can_show(one, encoding) else _SPELT.get(one, one) for one in text)


def spell(text: str) -> str:
    """Return text in ASCII, with a question mark for characters without a spelling.

    Examples:
        >>> spell("±2 → 3, 目")
        '+/-2 -> 3, ?'
    """
    return "".join(one if one.isascii() else _SPELT.get(one, "?") for one in text)


def can_show(text: str, encoding: str) -> bool:
    """Return whether an encoding has all characters of a text.

    Examples:
        >>> can_show("⠿", "utf-8"), can_show("⠿", "latin-1")
        (True, False)
    """
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True
