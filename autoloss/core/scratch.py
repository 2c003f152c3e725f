"""Temporary folders that do not outlive their program."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from autoloss.core.files import YOUNG_SECONDS

if TYPE_CHECKING:
    from filelock import BaseFileLock

_PREFIX = "autoloss-"
_OWNER = "owner.lock"


class Scratch:
    """A temporary folder, which only its user can read.

    A lock says that its program lives. If the program is killed before it removes the folder, the
    next program that makes one does so.

    Attributes:
        folder: The folder.
    """

    def __init__(self) -> None:
        _sweep()
        self.folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        self._lock = _lock_of(self.folder)
        # On a file system without locks the folder stays if the program is killed.
        with suppress(OSError, NotImplementedError):
            self._lock.acquire(timeout=0)

    def remove(self) -> None:
        """Remove the folder; files that are open on Windows stay."""
        # Windows does not remove a locked file.
        self._lock.release()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Yield a temporary folder, and remove it at the end."""
    scratch = Scratch()
    try:
        yield scratch.folder
    finally:
        scratch.remove()


def _lock_of(folder: Path) -> BaseFileLock:
    # Importing it takes a while.
    from filelock import FileLock

    return FileLock(folder / _OWNER)


def _sweep() -> None:
    """Remove the folders of programs that have died."""
    with suppress(OSError):
        for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
            if _is_left(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _is_left(folder: Path) -> bool:
    """Return whether a folder is this user's, and its program has died."""
    from filelock import Timeout

    try:
        found = folder.lstat()
        is_own = not hasattr(os, "getuid") or found.st_uid == os.getuid()
        is_old = time.time() - found.st_mtime > YOUNG_SECONDS
        if folder.is_symlink() or not (is_own and is_old and (folder / _OWNER).is_file()):
            return False
        with _lock_of(folder).acquire(timeout=0):
            return True
    except (OSError, NotImplementedError, Timeout):
        return False
