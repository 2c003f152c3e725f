"""Terminals and pipes that show less: without styles, or without some letters."""

from __future__ import annotations

import codecs
import os
import sys

from autoloss.cli.letters import spell

_DUMB = ("dumb", "unknown")
_HANDLER = "autoloss.spelt"


def is_plain() -> bool:
    """Return whether the user wants, or the terminal can show, nothing but characters."""
    return bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM", "").lower() in _DUMB


def make_showable() -> None:
    """Let standard output and standard error spell out what their encodings do not have.

    A console that cannot show a character must not end a search of an hour.
    """
    codecs.register_error(_HANDLER, _spelt_out)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=_HANDLER)


def _spelt_out(error: UnicodeError) -> tuple[str | bytes, int]:
    """Return in other words what cannot be encoded, and where the text goes on."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    return spell(missing), error.end
