"""The length that the compressed columns of a Feather file unpack to, from its own directory."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path

from autoloss.core.unpacking import check_size

_MAGIC = b"ARROW1"
_RATIO = 1_000
# Tables of Arrow's FlatBuffers: the numbers of the fields that are read here.
_DICTIONARIES, _BATCHES = 2, 3
_HEADER, _OF_DICTIONARY, _BUFFERS, _COMPRESSION = 2, 1, 2, 3
_IS_DICTIONARY = 2
_BLOCK, _BUFFER = 24, 16


def check_feather(path: Path) -> None:
    """Refuse a Feather file that unpacks to very much more than it takes.

    Args:
        path: The file.

    Raises:
        Overpacked: It does.
        ValueError: Its directory is broken.
    """
    with path.open("rb") as file:
        # The first version of the format packs nothing.
        if file.read(len(_MAGIC)) != _MAGIC:
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            try:
                size = sum(_unpacked(content))
            except struct.error as error:
                raise ValueError("its directory is broken") from error
            check_size(size, len(content), ratio=_RATIO)


def _unpacked(content: mmap.mmap) -> Iterator[int]:
    """Yield the bytes of each packed buffer after unpacking."""
    end = len(content) - len(_MAGIC) - 4
    start = end - _number(content, "<i", end)
    footer = start + _number(content, "<I", start)
    for field in (_DICTIONARIES, _BATCHES):
        for block in _vector(content, footer, field, _BLOCK):
            place, length = _number(content, "<q", block), _number(content, "<i", block + 8)
            # Eight bytes stand before the message, four in files of the first years.
            is_long = _number(content, "<I", place) == 0xFFFFFFFF
            root = place + (8 if is_long else 4)
            yield from _of_message(content, root + _number(content, "<I", root), place + length)


def _of_message(content: mmap.mmap, message: int, body: int) -> Iterator[int]:
    """Yield the lengths of the packed buffers of a batch."""
    batch = _table(content, message, _HEADER)
    kind = _field(content, message, 1)
    if batch and kind and content[kind] == _IS_DICTIONARY:
        batch = _table(content, batch, _OF_DICTIONARY)
    if not batch or not _field(content, batch, _COMPRESSION):
        return
    for buffer in _vector(content, batch, _BUFFERS, _BUFFER):
        place, length = _number(content, "<q", buffer), _number(content, "<q", buffer + 8)
        if length >= 8:
            # -1 stands for a buffer that is not packed.
            yield max(_number(content, "<q", body + place), 0)


def _number(content: mmap.mmap, form: str, place: int) -> int:
    if place < 0:
        raise struct.error("a place before the file")
    found: int = struct.unpack_from(form, content, place)[0]
    return found


def _field(content: mmap.mmap, table: int, field: int) -> int:
    """Return the place of a field of a table, 0 if the table lacks it."""
    names = table - _number(content, "<i", table)
    at = 4 + 2 * field
    if at >= _number(content, "<H", names):
        return 0
    offset = _number(content, "<H", names + at)
    return table + offset if offset else 0


def _table(content: mmap.mmap, table: int, field: int) -> int:
    """Return the place of an inner table, 0 if the table lacks it."""
    place = _field(content, table, field)
    return place + _number(content, "<I", place) if place else 0


def _vector(content: mmap.mmap, table: int, field: int, size: int) -> Iterator[int]:
    """Yield the places of the elements of a vector, each of `size` bytes."""
    place = _table(content, table, field)
    if place:
        for number in range(_number(content, "<I", place)):
            yield place + 4 + number * size
