"""Output for terminals and pipes without styles, or without some characters."""

from __future__ import annotations

import codecs
import os
import sys

from autoloss.cli.letters import spell

_DUMB = ("dumb", "unknown")
_HANDLER = "autoloss.spelt"


def is_plain() -> bool:
    """Return whether output must be plain characters, by the user's wish or the terminal."""
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
