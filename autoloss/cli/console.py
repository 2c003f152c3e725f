"""The two consoles: results on standard output, everything else on standard error."""

from __future__ import annotations

from rich.console import Console


def output() -> Console:
    """Return the console of results."""
    return Console(highlight=False, emoji=False, markup=False)


def messages() -> Console:
    """Return the console of progress and notes."""
    return Console(stderr=True, highlight=False, emoji=False, markup=False)
