"""Files that are there only once all of them is."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """Give a file beside `file` that takes its place at the end, unless something goes wrong."""
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.", suffix=".part")
    os.close(handle)
    part = Path(name)
    try:
        yield part
        # mkstemp gives the owner alone a right to read.
        part.chmod(0o644)
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def write_whole(file: Path, text: str) -> None:
    """Write a text in UTF-8, whole or not at all."""
    with replacing(file) as part:
        # Half a surrogate pair, as broken file names give, has no UTF-8.
        part.write_bytes(text.encode("utf-8", "replace"))
