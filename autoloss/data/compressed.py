"""Files that may be compressed by gzip, opened as what is in them."""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path
from typing import IO, Any, cast

import pyarrow as pa

_MAGIC = b"\x1f\x8b"
BROKEN = (EOFError, OSError, zlib.error)
"""What is raised by a compressed file that is not whole."""


def is_compressed(path: Path) -> bool:
    """Return whether a file that is there is compressed by gzip."""
    with path.open("rb") as file:
        return file.read(2) == _MAGIC


def ending_of(path: Path) -> str:
    """Return the ending of a file's name in small letters, that of compression left out."""
    is_packed = path.suffix.lower() == ".gz"
    return Path(path.stem).suffix.lower() if is_packed else path.suffix.lower()


def open_bytes(path: Path) -> IO[bytes]:
    """Open what is in a file as bytes."""
    if is_compressed(path):
        return cast("IO[bytes]", gzip.open(path, "rb"))
    return path.open("rb")


def open_text(path: Path, encoding: str) -> IO[str]:
    """Open what is in a file as text with its own line ends."""
    return io.TextIOWrapper(open_bytes(path), encoding=encoding, errors="replace", newline="")


def arrow_input(path: Path) -> Any:
    """Return a file as Arrow reads it, anew for each reading."""
    return pa.input_stream(str(path), compression="gzip") if is_compressed(path) else path
