"""Files that unpack to very much more than they take are refused before they are unpacked."""

from __future__ import annotations

import zipfile
from typing import Any

SMALL = 1 << 30
"""Bytes that any file may unpack to."""
RATIO = 200
"""Times its size that a file may unpack to beyond them; text and images reach 5 to 100."""


class Overpacked(OSError):
    """A file unpacks to very much more than it takes."""


def check_size(size: int, packed: int, *, ratio: int = RATIO) -> None:
    """Refuse a content that is very much larger than the file that holds it.

    Args:
        size: Bytes of the content.
        packed: Bytes of the file.
        ratio: Times its size that the file may unpack to.

    Raises:
        Overpacked: The content has more than a gibibyte, and more than `ratio` times the file.
    """
    if size > max(SMALL, ratio * packed):
        raise Overpacked(
            f"its {packed:,} bytes unpack to {size:,} or more, over {ratio:,} times as many"
        )


def check_archive(archive: zipfile.ZipFile) -> None:
    """Refuse a zip archive that unpacks to very much more than it takes.

    Raises:
        Overpacked: It does.
    """
    stream: Any = archive.fp
    place = stream.tell()
    packed = stream.seek(0, 2)
    stream.seek(place)
    check_size(sum(one.file_size for one in archive.infolist()), packed)
