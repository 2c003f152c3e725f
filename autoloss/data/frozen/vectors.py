"""The vectors of all images or texts of a source: computed once, kept in a file on the disk."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoloss.core.cache import cache_folder, note_use, prune
from autoloss.core.errors import InputError
from autoloss.data.frozen.extractor import AT_ONCE, Extractor

_VERSION = 1
_EVERY = 5.0
"""Seconds between two lines of progress."""
Told = Callable[[str], object]


def text_digest(text: str) -> str:
    """Return the sha256 of a text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def vectors_of(
    extractor: Extractor,
    cells: Sequence[Any],
    digests: Sequence[str],
    *,
    opened: Callable[[Any], Any],
    told: Told,
) -> NDArray[np.float32]:
    """Return a vector for each input, from the cache if the same inputs had them before.

    An input that cannot be opened has NaN.

    Args:
        extractor: Computes them.
        cells: The inputs in the form of their source.
        digests: The hash of each.
        opened: Returns an input as the extractor reads it; None if it cannot be opened.
        told: Called with a sentence on the progress.

    Raises:
        InputError: As in `Extractor.vectors`, or the width of the vectors changes.

    Shape:
        output (N, D).
    """
    place = _place(extractor, digests)
    with suppress(OSError, ValueError):
        kept: NDArray[np.float32] = np.load(place, mmap_mode="c")
        if kept.ndim == 2 and len(kept) == len(cells) and kept.dtype == np.float32:
            note_use(place)
            return kept
    # Equal inputs are computed once.
    first = dict(zip(reversed(digests), range(len(digests) - 1, -1, -1), strict=True))
    places = sorted(first.values())
    computed = _computed(extractor, cells, places, opened, told)
    if not computed:
        raise InputError("features must have an input that can be read, but there is none.")
    width = len(next(iter(computed.values())))
    found = np.full((len(cells), width), np.nan, dtype=np.float32)
    for row, digest in enumerate(digests):
        if (own := computed.get(first[digest])) is not None:
            found[row] = own
    _keep(place, found)
    return found


def _computed(
    extractor: Extractor,
    cells: Sequence[Any],
    places: Sequence[int],
    opened: Callable[[Any], Any],
    told: Told,
) -> dict[int, NDArray[np.float32]]:
    """Return the vectors of inputs by their places, without unreadable inputs."""
    began = last = time.monotonic()
    computed: dict[int, NDArray[np.float32]] = {}
    width = 0
    for at in range(0, len(places), AT_ONCE):
        read = {place: opened(cells[place]) for place in places[at : at + AT_ONCE]}
        read = {place: one for place, one in read.items() if one is not None}
        if not read:
            continue
        found = extractor.vectors(list(read.values()))
        if width and found.shape[1] != width:
            raise InputError(
                f"features must return vectors of one width, but {extractor.name} returned"
                f" {width} and {found.shape[1]} numbers."
            )
        width = found.shape[1]
        computed |= dict(zip(read, found, strict=True))
        now, done = time.monotonic(), min(at + AT_ONCE, len(places))
        if now - last > _EVERY and done < len(places):
            last = now
            left = (len(places) - done) * (now - began) / done
            told(f"Features: {done:,} of {len(places):,} computed, about {left:.0f} s left.")
    return computed


def _place(extractor: Extractor, digests: Iterable[str]) -> Path:
    """Return the file of the vectors of some inputs."""
    whole = hashlib.sha256(f"{_VERSION} {extractor.sha256}".encode())
    for digest in digests:
        whole.update(digest.encode())
    return cache_folder("features") / f"{whole.hexdigest()[:32]}.npy"


def _keep(place: Path, found: NDArray[np.float32]) -> None:
    """Write vectors into a file, at once; a full disk only costs the cache."""
    with suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(suffix=".part", dir=place.parent)
        with os.fdopen(handle, "wb") as file:
            np.save(file, found)
        Path(name).replace(place)
        prune(place.parent, kept=place)
