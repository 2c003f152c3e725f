"""The exit codes; each failure becomes a line on standard error and an exit code."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import traceback
from collections.abc import Callable
from importlib.metadata import version

import typer

from autoloss.cli.verbosity import say
from autoloss.core.errors import AutolossError, InputError, SpaceError
from autoloss.core.interrupts import received
from autoloss.core.secrets import without_secrets

DONE, FAILED, MISUSED, NOT_BETTER = 0, 1, 2, 3

# The base class of all mistakes in options; typer exports only its subclasses.
_UsageError: type[Exception] = typer.BadParameter.__mro__[1]


def guarded(run: Callable[[], object]) -> int:
    """Run the program and return its exit code; a failure prints one line on standard error.

    Args:
        run: The program; it returns its own exit code, or None for success.

    Raises:
        Terminated: The program failed after a signal of the system.
    """
    try:
        code = run()
        # The rest of the buffer may not fit on a full disk.
        sys.stdout.flush()
    except Exception as error:
        if stop := received():
            # A library in C made another error of it.
            raise stop from error
        return _failed(error)
    return code if isinstance(code, int) else DONE


def _failed(error: Exception) -> int:
    """Show a failure, and return its exit code."""
    if isinstance(error, InputError):
        _tell_input(error)
        return error.exit_code
    if isinstance(error, _UsageError):
        _tell_usage(error)
        return MISUSED
    kind = "stopped" if isinstance(error, AutolossError) else "internal error"
    say(f"{kind}: {_first_line(error)} ({_write_log(error)})")
    return error.exit_code if isinstance(error, AutolossError) else FAILED


def _tell_input(error: InputError) -> None:
    """Show each of the user's mistakes on its own line."""
    for line in error.mistakes if isinstance(error, SpaceError) else (str(error),):
        say(line)


def _tell_usage(error: Exception) -> None:
    """Show a mistake in the options, and the command that explains them."""
    context: typer.Context | None = getattr(error, "ctx", None)
    path = context.command_path if context else "autoloss"
    message = str(error.format_message()) if hasattr(error, "format_message") else str(error)
    # Typer keeps the prefix of pydantic's messages.
    message = message.replace("Value error, ", "").rstrip(".")
    say(f"{message}{'' if message.endswith('?') else '.'} See '{path} --help'.")


def _first_line(error: Exception) -> str:
    """Describe an error in one line."""
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _write_log(error: Exception) -> str:
    """Write a log with the traceback for a bug report, without secrets; return its place."""
    record = [
        f"autoloss {version('autoloss')}",
        f"Python {platform.python_version()}, {platform.platform()}",
        f"command: {' '.join(sys.argv)}",
        "".join(traceback.format_exception(error)),
    ]
    try:
        handle, path = tempfile.mkstemp(prefix="autoloss-", suffix=".log")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(without_secrets("\n".join(record)))
    except OSError as unwritable:
        return f"no record was written: {unwritable.strerror or unwritable}"
    return f"the full record: {path}"
