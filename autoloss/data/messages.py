"""Wording of messages about data: a single line, with the closest known name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from autoloss.core.display import printable
from autoloss.core.errors import InputError, closest

_SHOWN = 6


def one_line(text: object) -> str:
    """Return `text` as one line of at most 200 characters, none of which steers a terminal."""
    line = printable(" ".join(str(text).split()))
    return line if len(line) <= 200 else f"{line[:197]}..."


def listed(names: Iterable[object], *, shown: int = _SHOWN) -> str:
    """Return ``'a', 'b' and 3 more``: the first few of `names`, quoted."""
    names = list(names)
    text = ", ".join(_short(repr(name)) for name in names[:shown])
    return text if len(names) <= shown else f"{text} and {len(names) - shown} more"


def _short(text: str) -> str:
    """Return a name of at most 80 characters."""
    return text if len(text) <= 80 else f"{text[:38]}...{text[-38:]}"


def plural(count: int, noun: str) -> str:
    """Return ``1 row`` or ``1,234 rows``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def unknown_name(subject: str, name: object, known: Sequence[object]) -> InputError:
    """Return the error for a name that is not among `known`, with the closest name.

    Args:
        subject: The subject and rule of the message.
        name: The name.
        known: The known names.
    """
    names = [str(item) for item in known]
    hint = closest(str(name), names)
    if hint.startswith(";") and len(names) > 2 * _SHOWN:
        hint = f"; there are {listed(names)}."
    return InputError(one_line(f"{subject}, but got {str(name)!r}{hint}"))
