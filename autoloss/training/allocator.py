"""Keeps the memory of one step for the next."""

from __future__ import annotations

import ctypes
import functools
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEPT, _LARGEST = 1 << 29, 1 << 25


@functools.cache
def keep_freed_memory() -> bool:
    """Let the C library keep up to 512 MiB of freed memory; return whether it will.

    By default glibc gives large blocks back to the system when they are freed, and every step
    pays for mapping its activations anew, page by page: a tenth of its time. Other systems keep
    such blocks.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    # Setting one of the two switches off the automatic adjustment of both.
    return all(
        mallopt(option, value) == 1
        for option, value in ((_MMAP_THRESHOLD, _LARGEST), (_TRIM_THRESHOLD, _KEPT))
    )
