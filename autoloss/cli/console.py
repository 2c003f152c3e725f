"""The two consoles: results on standard output, everything else on standard error."""

from __future__ import annotations

import sys

from rich.console import Console

from autoloss.cli.plain import is_plain


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
    return Console(
        stderr=stderr,
        highlight=False,
        emoji=False,
        markup=False,
        force_terminal=False if plain else None,
        # FORCE_COLOR asks for colours in a log, where a moving line would be noise.
        force_interactive=not plain and stream.isatty(),
    )
