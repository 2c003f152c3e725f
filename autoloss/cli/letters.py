"""Spells out characters for terminals that cannot show them."""

from __future__ import annotations

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


def spelt(text: str, encoding: str) -> str:
    """Return text with the characters that an encoding lacks spelt out.

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
