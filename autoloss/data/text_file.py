"""Files of text: compression by gzip, and encoding."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

import pyarrow as pa

from autoloss.core.errors import InputError
from autoloss.core.unpacking import check_size
from autoloss.data.messages import one_line

_MAGIC = b"\x1f\x8b"
BROKEN = (EOFError, OSError, zlib.error)
"""The exceptions that an incomplete compressed file raises."""
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Encodings without their own mark, tried in this order after UTF-8.
GUESSED = ("cp1252", "cp932", "gb18030", "latin-1")
_CHUNK = 1 << 20


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


def chunks_of(path: Path) -> Iterator[bytes]:
    """Yield a file's decompressed content.

    Raises:
        Overpacked: It is very much longer than the file.
    """
    packed, total = path.stat().st_size, 0
    with open_bytes(path) as file:
        while chunk := file.read(_CHUNK):
            total += len(chunk)
            check_size(total, packed)
            yield chunk


def arrow_input(path: Path) -> Any:
    """Return a new input for Arrow's readers."""
    return pa.input_stream(str(path), compression="gzip") if is_compressed(path) else path


def find_encoding(path: Path, *, label: str) -> str:
    """Return the encoding of a text file: its mark, UTF-8, or a legacy encoding that fits."""
    try:
        with open_bytes(path) as file:
            head = file.read(_CHUNK)
        found = _encoding_of(path, head, label)
        if found not in ("utf-8", *GUESSED) and is_compressed(path):
            # The others were read to their end.
            for _ in chunks_of(path):
                pass
        return found
    except BROKEN as error:
        raise InputError(f"{label} cannot be read to its end: {one_line(error)}") from error


def _encoding_of(path: Path, head: bytes, label: str) -> str:
    """Return the encoding of a text file, given its first bytes."""
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    zeros = head.count(0)
    if zeros:
        even, odd = head[::2].count(0), head[1::2].count(0)
        # Western text in UTF-16 has a zero in every other byte, and only there.
        if max(even, odd) > 0.3 * len(head) and min(even, odd) < 0.01 * len(head):
            return "utf-16-le" if odd > even else "utf-16-be"
        raise InputError(f"{label} must be a table of text, but it is a binary file.")
    return next(form for form in ("utf-8", *GUESSED) if _decodes(path, form))


def _decodes(path: Path, encoding: str) -> bool:
    """Return whether the whole file is valid in an encoding."""
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for chunk in chunks_of(path):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True
