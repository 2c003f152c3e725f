"""Writes files whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


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
