"""How much a command says beside its result: nothing, what helps, or all that is known."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import typer


class Loudness(IntEnum):
    """Quiet leaves errors and the result; verbose adds timings, choices and places."""

    QUIET = -1
    NORMAL = 0
    VERBOSE = 1


_now = Loudness.NORMAL


def loudness() -> Loudness:
    """Return how much the running command says."""
    return _now


def set_loudness(wanted: Loudness) -> None:
    """Let the running command say so much."""
    global _now
    _now = wanted


def is_quiet() -> bool:
    """Return whether nothing is said but errors and the result."""
    return _now is Loudness.QUIET


def is_verbose() -> bool:
    """Return whether all that is known is said."""
    return _now is Loudness.VERBOSE


def hush(context: typer.Context, value: bool) -> Any:
    """Take in ``--quiet``."""
    return _taken_in(context, value, Loudness.QUIET)


def chatter(context: typer.Context, value: bool) -> Any:
    """Take in ``--verbose``."""
    return _taken_in(context, value, Loudness.VERBOSE)


def _taken_in(context: typer.Context, value: bool, wanted: Loudness) -> Any:
    """Set how much is said, and refuse two wishes at once."""
    if value and not context.resilient_parsing:
        if _now not in (Loudness.NORMAL, wanted):
            raise typer.BadParameter("--quiet and --verbose must not stand together.")
        set_loudness(wanted)
    return value
