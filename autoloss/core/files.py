"""Writes files whole or not at all, names unwritable places, and keeps to a folder."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from autoloss.core.errors import InputError, UnwritableError

YOUNG_SECONDS = 60.0
"""The age below which a temporary file may belong to a program that lives."""
STAGED = ".staged"
"""The folder of files that replace all files of the folder around it."""


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


@contextlib.contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder whose files are in `folder` at the end, all of them or none.

    In an existing folder they replace their namesakes, and an empty file removes its own; other
    files stay. If the program is killed meanwhile, `settle` of the next reader does the rest.
    """
    is_new = not folder.exists()
    folder.parent.mkdir(parents=True, exist_ok=True)
    place = folder.parent if is_new else folder
    part = Path(tempfile.mkdtemp(dir=place, prefix=f".{folder.name}.", suffix=".part"))
    try:
        yield part
        # mkdtemp lets only the owner open the folder.
        part.chmod(0o755)
        # Files that another program may have left at this moment.
        _settle(folder)
        part.rename(folder if is_new else folder / STAGED)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    _settle(folder)


def settle(folder: Path) -> None:
    """Finish the work of a killed `replacing_folder`; on a read-only disk, nothing."""
    with contextlib.suppress(OSError):
        _settle(folder)


def _settle(folder: Path) -> None:
    """Move the staged files of a folder to their places; several programs may do so at a time."""
    staged = folder / STAGED
    if staged.is_symlink() or not staged.is_dir():
        return
    root = folder.resolve()
    files = [path for path in staged.rglob("*") if stat.S_ISREG(path.lstat().st_mode)]
    # In the order in which they were written.
    for file in sorted(files, key=lambda path: path.stat().st_mtime_ns):
        place = root / file.relative_to(staged)
        if not place.parent.is_dir():
            place.parent.mkdir(parents=True, exist_ok=True)
        # An untrusted folder may have a link in place of a folder.
        if place.parent.resolve() == place.parent:
            _move(file, place)
    # Only empty folders: another program may have staged its files by now.
    for inner in sorted(staged.rglob("*"), reverse=True):
        inner.rmdir()
    staged.rmdir()


def _move(file: Path, place: Path) -> None:
    """Move a file, or remove its namesake if it is empty; another program may do so first."""
    with contextlib.suppress(FileNotFoundError):
        if file.stat().st_size:
            file.replace(place)
        else:
            place.unlink(missing_ok=True)
            file.unlink()


def remove_parts(folder: Path) -> None:
    """Remove the leftovers of killed programs from files and folders that they were to replace."""
    for part in folder.rglob(".*.part"):
        # A younger one may belong to a program that lives; no clock that was set back matters.
        with contextlib.suppress(OSError):
            if abs(time.time() - part.stat().st_mtime) > YOUNG_SECONDS:
                shutil.rmtree(part) if part.is_dir() else part.unlink()


def write_whole(file: Path, text: str) -> None:
    """Write text in UTF-8, whole or not at all."""
    with replacing(file) as part:
        # Broken file names contain half a surrogate pair, which has no UTF-8.
        part.write_bytes(text.encode("utf-8", "replace"))


@contextlib.contextmanager
def writable(folder: Path, subject: str = "The folder of a study") -> Iterator[None]:
    """Turn the error of a system that cannot write, such as of a full disk, into one line.

    Args:
        folder: The folder in which the context writes.
        subject: The name of the folder in the line.

    Raises:
        UnwritableError: A file could not be written.
    """
    try:
        yield
    except OSError as error:
        raise UnwritableError(
            f"{subject} must be writable, but got folder={str(folder)!r}: "
            f"{error.strerror or error}."
        ) from error


def check_inside(folder: Path) -> None:
    """Check that a folder holds plain files alone, and no link that leads out of it.

    A folder may come from an untrusted source: its links would have other files read, or written.

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
    """Yield everything in and below a folder that is not a plain file or folder."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for one in entries:
            if one.is_dir(follow_symlinks=False):
                yield from _odd_below(Path(one.path))
            elif not one.is_file(follow_symlinks=False):
                yield Path(one.path)
