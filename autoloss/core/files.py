"""Writes files whole or not at all, and keeps to the folder that holds them."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from autoloss.core.errors import InputError


@contextlib.contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """Yield a temporary file beside `file` that replaces it at the end, unless an error occurs."""
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.", suffix=".part")
    os.close(handle)
    part = Path(name)
    try:
        yield part
        # mkstemp lets only the owner read the file.
        part.chmod(0o644)
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def write_whole(file: Path, text: str) -> None:
    """Write text in UTF-8, whole or not at all."""
    with replacing(file) as part:
        # Broken file names contain half a surrogate pair, which has no UTF-8.
        part.write_bytes(text.encode("utf-8", "replace"))


def check_inside(folder: Path) -> None:
    """Check that a folder holds plain files alone, and no link that leads out of it.

    A folder may come from a stranger: its links would have other files read, or written.

    Args:
        folder: The folder; it may be a link itself.

    Raises:
        InputError: It holds anything else.
    """
    root = folder.resolve()
    for path in _odd_below(root):
        # A link is judged by the file that it leads to; a broken link leads to none.
        with contextlib.suppress(OSError):
            kind = path.stat().st_mode
            if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
                raise InputError(
                    f"{folder} must hold files and folders, but {path.name!r} in it is neither:"
                    " remove it."
                )
        if path.is_symlink() and not path.resolve().is_relative_to(root):
            raise InputError(
                f"{folder} must hold its files itself, but {path.name!r} in it is a link that"
                " leads out of it: copy the folder with its links followed (cp -rL)."
            )


def _odd_below(folder: Path) -> Iterator[Path]:
    """Yield what is in a folder and below it but is no plain file or folder."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for one in entries:
            if one.is_dir(follow_symlinks=False):
                yield from _odd_below(Path(one.path))
            elif not one.is_file(follow_symlinks=False):
                yield Path(one.path)
