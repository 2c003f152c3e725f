"""Standard output and error that are closed, full or read by nobody."""

from __future__ import annotations

import errno
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
    """Standard output: a result that is lost is an error in one line.

    A reader that leaves, such as ``head``, has seen enough, so no result is lost: the program
    does the rest of its work in silence, and its exit code is that of the work. Another code, as
    141 of a program that SIGPIPE ends, would fail every script with ``set -o pipefail``.
    """

    has_reader = True

    def _failed(self, error: OSError) -> None:
        # The interpreter flushes it once more at its end, which would fail too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
        if _is_without_reader(error):
            self.has_reader = False
            return
        raise UnwritableError(
            f"Standard output must be writable, but got: {error.strerror or error}."
        ) from error


def has_reader() -> bool:
    """Return whether standard output has not lost its reader."""
    return bool(getattr(sys.stdout, "has_reader", True))


def _is_without_reader(error: OSError) -> bool:
    """Return whether a write failed because nobody reads the pipe."""
    # Windows calls the write to such a pipe an invalid argument.
    return error.errno == errno.EPIPE or (os.name == "nt" and error.errno == errno.EINVAL)


def open_streams() -> None:
    """Let the program run to its end whatever becomes of its standard output and error.

    A stream that the caller has closed leads nowhere.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115
    sys.stdout = _Results(sys.stdout)
    sys.stderr = _Messages(sys.stderr)
