"""The verbosity of a command, and the lines that it writes to standard error."""

from __future__ import annotations

import contextlib
import sys
from enum import IntEnum
from typing import Any

import typer

from autoloss.core.display import printable
from autoloss.core.secrets import without_secrets


class Verbosity(IntEnum):
    """Quiet shows only errors and the result; verbose adds timings, choices and places."""

    QUIET = -1
    NORMAL = 0
    VERBOSE = 1


_now = Verbosity.NORMAL


def set_verbosity(wanted: Verbosity) -> None:
    """Set the verbosity of the running command."""
    global _now
    _now = wanted


def is_quiet() -> bool:
    """Return whether only errors and the result are shown."""
    return _now is Verbosity.QUIET


def is_verbose() -> bool:
    """Return whether all details are shown."""
    return _now is Verbosity.VERBOSE


def set_quiet(context: typer.Context, value: bool) -> Any:
    """Handle ``--quiet``."""
    return _set_by_option(context, value, Verbosity.QUIET)


def set_verbose(context: typer.Context, value: bool) -> Any:
    """Handle ``--verbose``."""
    return _set_by_option(context, value, Verbosity.VERBOSE)


def _set_by_option(context: typer.Context, value: bool, wanted: Verbosity) -> Any:
    """Set the verbosity, and refuse both options at once."""
    if value and not context.resilient_parsing:
        if _now not in (Verbosity.NORMAL, wanted):
            raise typer.BadParameter("--quiet and --verbose must not be given together.")
        set_verbosity(wanted)
    return value


def say(text: str) -> None:
    """Show one line on standard error, under the program's name and without secrets."""
    line = printable(without_secrets(" ".join(text.splitlines())))
    # Nothing can be shown if standard error is closed.
    with contextlib.suppress(OSError):
        print(f"autoloss: {line}", file=sys.stderr, flush=True)


def note(text: str) -> None:
    """Show one line on standard error, unless the program is quiet."""
    if not is_quiet():
        say(text)


def detail(text: str) -> None:
    """Show one line on standard error if the program is verbose."""
    if is_verbose():
        say(text)
