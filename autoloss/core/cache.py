"""The cache of a user: decoded images and computed features, in files that may be deleted."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

AT_MOST = 20_000_000_000
"""Bytes of a folder; the files that were used longest ago are deleted beyond them."""


def cache_folder(name: str) -> Path:
    """Return a folder of the cache, which may be deleted at any time."""
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return (Path(base) if base else Path.home() / ".cache") / "autoloss" / name


def note_use(file: Path) -> None:
    """Note that a file is used now."""
    with suppress(OSError):
        os.utime(file)


def prune(folder: Path, *, kept: Path, at_most: int = AT_MOST) -> None:
    """Delete the files of a folder that were used longest ago, until the rest is small enough.

    Args:
        folder: The folder.
        kept: A file that stays, with the other files of its name.
        at_most: Bytes of all files.
    """
    found = []
    for file in folder.glob("*"):
        with suppress(OSError):
            stat = file.stat()
            found.append((stat.st_mtime, stat.st_size, file))
    total = sum(size for _, size, _ in found)
    for _, size, file in sorted(found):
        if total <= at_most:
            return
        if file.stem == kept.stem:
            continue
        # Another program may map it into memory, which some systems do not allow to delete.
        with suppress(OSError):
            file.unlink()
            total -= size
