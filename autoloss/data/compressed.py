"""Opening of files that may be compressed by gzip."""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path
from typing import IO, Any, cast

import pyarrow as pa

_MAGIC = b"\x1f\x8b"
BROKEN = (EOFError, OSError, zlib.error)
"""The exceptions that an incomplete compressed file raises."""


def is_compressed(path: Path) -> bool:
    """Return whether an existing file is compressed by gzip."""
    with path.open("rb") as file:
        return file.read(2) == _MAGIC


def ending_of(path: Path) -> str:
    """Return the lower-case ending of a file's name, without the ending for compression."""
    is_packed = path.suffix.lower() == ".gz"
    return Path(path.stem).suffix.lower() if is_packed else path.suffix.lower()


def open_bytes(path: Path) -> IO[bytes]:
    """Open a file's decompressed content as bytes."""
    if is_compressed(path):
        return cast("IO[bytes]", gzip.open(path, "rb"))
    return path.open("rb")


def open_text(path: Path, encoding: str) -> IO[str]:
    """Open a file's decompressed content as text with unchanged line ends."""
    return io.TextIOWrapper(open_bytes(path), encoding=encoding, errors="replace", newline="")


def arrow_input(path: Path) -> Any:
    """Return a new input for Arrow's readers."""
    return pa.input_stream(str(path), compression="gzip") if is_compressed(path) else path
