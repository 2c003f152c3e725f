"""The journal file of a study: a JSON line for each change, which several processes append."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO, Any

from optuna.storages.journal import BaseJournalBackend, JournalFileOpenLock

from autoloss.core.documents import parsed_json
from autoloss.core.files import writable

# A process holds the lock for a single append. A lock that is held longer is a killed process's.
LOCK_SECONDS = 10
# Facts that all trials of a population share.
_COMMON = {"lease", "widened"}
# The types of a journal's entries that may hold a text.
_WITH_TEXTS = {dict, list, str}


class BrokenJournal(ValueError):
    """A line of a journal is not as it was written."""


class JournalFile(BaseJournalBackend):
    """The lines of Optuna's journal; it syncs many lines at once, and needs little memory.

    Args:
        path: The file; it is created if it is missing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = JournalFileOpenLock(str(path), grace_period=LOCK_SECONDS)
        # The number of entries read so far, and the position after them in bytes.
        self._read = (0, 0)
        self._is_together = self._is_alone = False
        self._common: dict[str, Any] = {}
        path.open("ab").close()

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Write entries, and sync them to the disk unless they are written together.

        Raises:
            UnwritableError: The disk is full, or the like.
        """
        text = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs)
        with (
            writable(self._path.parent),
            nullcontext() if self._is_alone else self._locked(),
            self._path.open("a+b") as file,
        ):
            _drop_torn_line(file)
            file.write(text.encode("utf-8"))
            if not self._is_together:
                file.flush()
                os.fsync(file.fileno())

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._lock.acquire()
        try:
            yield
        finally:
            self._lock.release()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other processes from writing while this process reads and writes a few entries."""
        with self._locked():
            self._is_alone = True
            try:
                yield
            finally:
                self._is_alone = False

    @contextmanager
    def together(self) -> Iterator[None]:
        """Write entries one by one, readable at once, and sync them to the disk at the end."""
        if self._is_together:
            yield
            return
        self._is_together = True
        try:
            yield
        finally:
            self._is_together = False
            with writable(self._path.parent), self._path.open("ab") as file:
                os.fsync(file.fileno())

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """Yield entries from a number on; equal texts in them share an object."""
        number, place = self._read if self._read[0] <= log_number_from else (0, 0)
        with self._path.open("rb") as file:
            file.seek(place)
            for line in file:
                # Another process is writing this line, or was killed while it wrote.
                if not line.endswith(b"\n"):
                    return
                number, place = number + 1, place + len(line)
                self._read = number, place
                if number > log_number_from:
                    yield self._entry(line, number)

    def _entry(self, line: bytes, number: int) -> dict[str, Any]:
        """Return the entry of a line."""
        try:
            found = parsed_json(line)
        except ValueError as error:
            raise BrokenJournal(f"line {number} is not JSON: {error}") from None
        if not isinstance(found, dict):
            raise BrokenJournal(f"line {number} is not an entry")
        entry: dict[str, Any] = self._shared(found)
        return entry

    def _shared(self, value: Any) -> Any:
        """Return a value in which equal texts, and facts of many trials, share an object."""
        kind = type(value)
        if kind is dict:
            found = {
                sys.intern(key): self._shared(one) if type(one) in _WITH_TEXTS else one
                for key, one in value.items()
            }
            for key in _COMMON & found.keys():
                found[key] = self._common.setdefault(repr(found[key]), found[key])
            return found
        if kind is list:
            # Most lists are curves.
            if not any(type(one) in _WITH_TEXTS for one in value):
                return value
            return [self._shared(one) for one in value]
        return sys.intern(value) if kind is str else value


def _drop_torn_line(file: IO[bytes]) -> None:
    """Remove the incomplete last line of a killed process.

    The next entry would continue that line, and the journal would become unreadable.
    """
    if not file.seek(0, os.SEEK_END):
        return
    file.seek(-1, os.SEEK_END)
    if file.read(1) != b"\n":
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)
