"""The journal file of a study: it syncs many lines at once, and needs little memory."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.storages.journal._file import get_lock_file

# Facts that all trials of a population share.
_COMMON = {"lease", "widened"}


class JournalFile(JournalFileBackend):
    """Optuna's journal file, for studies of many trials.

    Args:
        path: The file.
        lock: Held while a line is written.
    """

    def __init__(self, path: Path, lock: JournalFileOpenLock) -> None:
        super().__init__(str(path), lock_obj=lock)
        self._path = path
        self._is_together = False
        self._common: dict[str, Any] = {}

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Write entries and sync them to the disk, unless they are written together."""
        if not self._is_together:
            super().append_logs(logs)
            return
        text = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs)
        with get_lock_file(self._lock), self._path.open("ab") as file:
            file.write(text.encode("utf-8"))

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
            with self._path.open("ab") as file:
                os.fsync(file.fileno())

    def read_logs(self, log_number_from: int) -> Generator[dict[str, Any], None, None]:
        """Yield entries from a number on; equal texts in them share an object."""
        for log in super().read_logs(log_number_from):
            yield self._shared(log)
        # Nothing reads earlier entries again, so their positions are not kept.
        last = max(self._log_number_offset)
        self._log_number_offset = {0: 0, last: self._log_number_offset[last]}

    def _shared(self, value: Any) -> Any:
        """Return a value in which equal texts, and facts of many trials, share an object."""
        if isinstance(value, dict):
            found = {sys.intern(key): self._shared(one) for key, one in value.items()}
            for key in _COMMON & found.keys():
                found[key] = self._common.setdefault(repr(found[key]), found[key])
            return found
        if isinstance(value, list):
            return [self._shared(one) for one in value]
        return sys.intern(value) if isinstance(value, str) else value
