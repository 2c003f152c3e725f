"""Archives of NumPy's arrays, of which no more is unpacked than their files can hold."""

from __future__ import annotations

import tokenize
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from autoloss.core.unpacking import check_archive

BROKEN = (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error, RuntimeError)
"""The exceptions of `read_arrays`; RuntimeError is that of an encrypted archive."""
_HIGHEST = 0x10FFFF


def read_arrays(
    file: Path, is_wanted: Callable[[str], bool] = lambda name: True
) -> dict[str, NDArray[Any] | None]:
    """Return the arrays of an ``.npz`` archive by name, without running code from it.

    Args:
        file: The archive.
        is_wanted: Whether an array is read; the others are None.

    Raises:
        ValueError: An array holds Python objects, claims more than is there, or is not an array;
            or one of the other exceptions of `BROKEN`.
    """
    # NumPy would leave the file of a broken archive open.
    with file.open("rb") as opened, zipfile.ZipFile(opened) as archive:
        check_archive(archive)
        found: dict[str, NDArray[Any] | None] = {}
        for member in archive.infolist():
            name = member.filename.removesuffix(".npy")
            found[name] = _array(archive, member, name) if is_wanted(name) else None
        return found


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> NDArray[Any]:
    """Return an array of an archive."""
    with archive.open(member) as stream:
        try:
            shape, dtype = _claim(stream)
        except (tokenize.TokenError, SyntaxError, TypeError, OverflowError, ValueError) as error:
            raise ValueError(f"{name} must be an array that numpy.savez wrote") from error
    if dtype.hasobject:
        raise ValueError(
            f"{name} must be a plain array, but it holds Python objects, which are not loaded: "
            f"save numpy.asarray({name}, dtype=...) of numbers or text"
        )
    count = 1
    for side in shape:
        count *= int(side)
    if min(shape, default=0) < 0 or count * dtype.itemsize > member.file_size:
        raise ValueError(f"{name} claims the shape {shape}, for which it has too few bytes")
    with archive.open(member) as stream:
        found = npy.read_array(stream, allow_pickle=False)
    if found.dtype.kind == "U" and found.size:
        native = found.astype(found.dtype.newbyteorder("="), order="C")
        _check_text(native.reshape(-1).view(np.uint32), name)
    return found


def _claim(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Return the shape and the type that the header of an array claims."""
    version = npy.read_magic(stream)
    if version not in ((1, 0), (2, 0), (3, 0)):
        raise ValueError(f"the version {version} of its format is unknown")
    # The third differs from the second by the encoding of the names of fields.
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read(stream)
    return shape, dtype


def _check_text(codes: NDArray[np.uint32], name: str) -> None:
    """Refuse numbers in place of characters that no text has."""
    if ((codes > _HIGHEST) | ((codes >= 0xD800) & (codes < 0xE000))).any():
        raise ValueError(f"{name} must hold text, but has characters that do not exist")
