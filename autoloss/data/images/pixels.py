"""All images of a source: decoded once, at one size, and kept in a file on the disk."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autoloss.core.cache import cache_folder, note_use, prune
from autoloss.data.images.decode import (
    MOST_PIXELS,
    Cell,
    LargePicture,
    PictureError,
    PictureShape,
    decoded,
    is_colour,
    open_picture,
)

_SAMPLE = 128
_LONGEST = 64
"""The longest side that images are scaled down to unless the user names a size."""
_VERSION = 1
_SHARED = 10_000_000
"""Pixels beyond which an image is decoded alone; it takes about 15 bytes a pixel."""


@dataclass(frozen=True, eq=False)
class Pictures:
    """The images of a table, a row for each of its rows.

    Args:
        pixels: Their pixels; black for an image that cannot be read.
        hashes: The sha256 of each in the form of its source.
        bad: The reason why an image cannot be read, by its row.

    Shape:
        pixels (N, H, W, C), uint8.
    """

    pixels: NDArray[np.uint8]
    hashes: tuple[str, ...]
    bad: dict[int, str]


def shape_of(cells: Sequence[Cell], side: int | None = None) -> PictureShape | None:
    """Return the size and the colours of images, from a sample; None if none can be read.

    Args:
        cells: The images.
        side: Their longest side; by default that of the median image, 64 at most.
    """
    places = np.unique(np.linspace(0, len(cells) - 1, min(len(cells), _SAMPLE)).astype(int))
    sizes, colours = [], False
    for place in places:
        try:
            image = open_picture(cells[place])
        except PictureError:
            continue
        sizes.append(image.size)
        colours = colours or is_colour(image)
    if not sizes:
        return None
    width, height = np.median(np.array(sizes), axis=0)
    longest = max(width, height)
    wanted = min(longest, _LONGEST) if side is None else side
    scale = wanted / longest
    return PictureShape(
        max(1, round(height * scale)), max(1, round(width * scale)), 3 if colours else 1
    )


def read_pictures(cells: Sequence[Cell], shape: PictureShape, *, keep: bool = True) -> Pictures:
    """Return images at a size.

    Pillow decodes without Python's lock, so threads share the work.

    Args:
        cells: The images.
        shape: Their size and colours.
        keep: Whether the pixels of files are kept in the user's cache folder.
    """
    place = _cache_place(cells, shape) if keep else None
    if place is not None and (kept := _kept(place, len(cells), shape)) is not None:
        return kept
    size = (len(cells), shape.height, shape.width, shape.channels)
    if place is None:
        pixels: NDArray[np.uint8] = np.zeros(size, dtype=np.uint8)
        return Pictures(pixels, *_fill(pixels, cells, shape))
    place.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(suffix=".part", dir=place.parent)
    os.close(handle)
    part = Path(name)
    mapped = np.lib.format.open_memmap(part, mode="w+", dtype=np.uint8, shape=size)
    hashes, bad = _fill(mapped, cells, shape)
    mapped.flush()
    about = {"hashes": hashes, "bad": {str(row): reason for row, reason in bad.items()}}
    _about(place).write_text(json.dumps(about), encoding="utf-8")
    part.replace(place)
    prune(place.parent, kept=place)
    return Pictures(np.load(place, mmap_mode="c"), hashes, bad)


def _fill(
    pixels: NDArray[np.uint8], cells: Sequence[Cell], shape: PictureShape
) -> tuple[tuple[str, ...], dict[int, str]]:
    """Write images into an array; return their hashes, and why some cannot be read."""
    hashes, bad = [], {}
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for row, one in enumerate(pool.map(partial(_one, shape=shape, most=_SHARED), cells)):
            found, digest = one or _alone(cells[row], shape)
            hashes.append(digest)
            if isinstance(found, str):
                bad[row] = found
            else:
                pixels[row] = found
    return tuple(hashes), bad


def _one(
    cell: Cell, *, shape: PictureShape, most: int = MOST_PIXELS
) -> tuple[NDArray[np.uint8] | str, str] | None:
    """Return an image, or why it cannot be read, and the hash of its source.

    The result is None for an image of more than `most` pixels, which is decoded alone.
    """
    try:
        # Read once, for the hash and the pixels.
        cell, digest = source_of(cell)
        return decoded(cell, shape, most=most), digest
    except LargePicture:
        return None
    except PictureError as error:
        return str(error), ""
    except OSError as error:
        return error.strerror or type(error).__name__, ""


def _alone(cell: Cell, shape: PictureShape) -> tuple[NDArray[np.uint8] | str, str]:
    """Return an image, or why it cannot be read, and the hash of its source."""
    found = _one(cell, shape=shape)
    assert found is not None
    return found


def source_of(cell: Cell) -> tuple[Cell, str]:
    """Return an image with the bytes of its file, and its hash, empty for a missing file.

    Raises:
        OSError: The file cannot be read.
    """
    if isinstance(cell, Path):
        if not cell.is_file():
            return cell, ""
        cell = cell.read_bytes()
    return cell, _digest(cell)


def _digest(cell: bytes | NDArray[np.generic]) -> str:
    if isinstance(cell, bytes):
        return hashlib.sha256(cell).hexdigest()
    head = f"{cell.dtype.str}{cell.shape}".encode()
    return hashlib.sha256(head + np.ascontiguousarray(cell).tobytes()).hexdigest()


def _cache_place(cells: Sequence[Cell], shape: PictureShape) -> Path | None:
    """Return the file of the decoded images; None for images that are not files."""
    digest = hashlib.sha256(json.dumps([_VERSION, asdict(shape)]).encode())
    for cell in cells:
        if not isinstance(cell, Path):
            return None
        stamp = (0, 0)
        with suppress(OSError):
            stat = cell.stat()
            stamp = (stat.st_size, stat.st_mtime_ns)
        digest.update(f"{cell.resolve()}\0{stamp}\0".encode(errors="surrogatepass"))
    return cache_folder("pictures") / f"{digest.hexdigest()[:32]}.npy"


def _about(place: Path) -> Path:
    return place.with_suffix(".json")


def _kept(place: Path, n: int, shape: PictureShape) -> Pictures | None:
    """Return decoded images from their file; None if there is none, or it is broken."""
    try:
        pixels = np.load(place, mmap_mode="c")
        about = json.loads(_about(place).read_text(encoding="utf-8"))
        bad = {int(row): str(reason) for row, reason in about["bad"].items()}
        hashes = tuple(map(str, about["hashes"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    if pixels.shape != (n, shape.height, shape.width, shape.channels) or len(hashes) != n:
        return None
    note_use(place)
    note_use(_about(place))
    return Pictures(pixels, hashes, bad)
