"""Standard output and error that are closed, full or read by nobody."""

from __future__ import annotations

import os
import sys
from typing import IO, Any

from autoloss.core.errors import UnwritableError


class _Stream:
    """A stream that decides the meaning of a failed write; else it is the stream in it."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write text."""
        try:
            return self._stream.write(text)
        except OSError as error:
            self._failed(error)
            return len(text)

    def flush(self) -> None:
        """Write the contents of the buffer."""
        try:
            self._stream.flush()
        except OSError as error:
            self._failed(error)

    def _failed(self, error: OSError) -> None:
        raise NotImplementedError


class _Messages(_Stream):
    """Standard error: a search of an hour does not end because nobody can read its progress."""

    def _failed(self, error: OSError) -> None:
        return


class _Results(_Stream):
    """Standard output: a result that is lost is an error in one line."""

    def _failed(self, error: OSError) -> None:
        if isinstance(error, BrokenPipeError):
            raise error
        # The interpreter flushes it once more at its end, which would fail too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
        raise UnwritableError(
            f"Standard output must be writable, but got: {error.strerror or error}."
        ) from error


def open_streams() -> None:
    """Let the program run to its end whatever becomes of its standard output and error.

    A stream that the caller has closed leads nowhere.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115
    sys.stdout = _Results(sys.stdout)
    sys.stderr = _Messages(sys.stderr)
