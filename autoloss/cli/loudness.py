"""The loudness of a command: quiet, normal or verbose."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import typer


class Loudness(IntEnum):
    """Quiet shows only errors and the result; verbose adds timings, choices and places."""

    QUIET = -1
    NORMAL = 0
    VERBOSE = 1


_now = Loudness.NORMAL


def loudness() -> Loudness:
    """Return the loudness of the running command."""
    return _now


def set_loudness(wanted: Loudness) -> None:
    """Set the loudness of the running command."""
    global _now
    _now = wanted


def is_quiet() -> bool:
    """Return whether only errors and the result are shown."""
    return _now is Loudness.QUIET


def is_verbose() -> bool:
    """Return whether all details are shown."""
    return _now is Loudness.VERBOSE


def hush(context: typer.Context, value: bool) -> Any:
    """Handle ``--quiet``."""
    return _taken_in(context, value, Loudness.QUIET)


def chatter(context: typer.Context, value: bool) -> Any:
    """Handle ``--verbose``."""
    return _taken_in(context, value, Loudness.VERBOSE)


def _taken_in(context: typer.Context, value: bool, wanted: Loudness) -> Any:
    """Set the loudness, and refuse both options at once."""
    if value and not context.resilient_parsing:
        if _now not in (Loudness.NORMAL, wanted):
            raise typer.BadParameter("--quiet and --verbose must not be given together.")
        set_loudness(wanted)
    return value
