"""Errors of Ray as a clause, which names the cause."""

from __future__ import annotations

import re

_RAISED = re.compile(r"^([A-Za-z_][\w.]*)(?:: (.*))?$")
_COLOUR = re.compile(r"\x1b\[[\d;]*m")


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text, or its name."""
    lines = [line.strip() for line in _plain(error).splitlines() if line.strip()]
    return lines[0].rstrip(".") if lines else type(error).__name__


def start_error(error: BaseException) -> str:
    r"""Return the error that an actor raised when it started, which ends Ray's own text.

    Examples:
        >>> text = "The actor died because of an error raised in its creation task, ray::Worker"
        >>> start_error(RuntimeError(f"{text}\n  File 'a.py', line 3\nKeyError: 'b'\n  in c"))
        "KeyError: 'b'"
    """
    for line in reversed(_plain(error).splitlines()):
        found = _RAISED.match(line)
        if found is None or (found[2] is None and not found[1].endswith(("Error", "Exit"))):
            continue
        if found[1].startswith("autoloss."):
            return (found[2] or found[1]).rstrip(".")
        return line.rstrip(".")
    return first_line(error)


def _plain(error: BaseException) -> str:
    return _COLOUR.sub("", str(error))
