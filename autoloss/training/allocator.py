"""A setting of the C library that keeps the memory of a step for the next step."""

from __future__ import annotations

import ctypes
import functools
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEPT, _LARGEST = 1 << 29, 1 << 25


@functools.cache
def keep_freed_memory() -> bool:
    """Let the C library keep up to 512 MiB of freed memory; return whether it will.

    By default glibc returns large freed blocks to the system, and every step spends a tenth of
    its time on mapping its activations again, page by page. Other systems keep such blocks.
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
