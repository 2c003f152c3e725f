"""The memory of a device: free and reserved bytes, and halving candidates that do not fit."""

from __future__ import annotations

import ctypes
import functools
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import torch

from autoloss.core.devices import is_out_of_memory
from autoloss.core.errors import TrainingError

Item = TypeVar("Item")
Result = TypeVar("Result")

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEPT, _LARGEST = 1 << 29, 1 << 25
_ASSUMED = 1 << 32
_MEMINFO = Path("/proc/meminfo")
_GROUP = Path("/sys/fs/cgroup")


def free_memory(device: torch.device) -> int:
    """Return the unused memory of a device, in bytes.

    On a GPU it is the driver's figure and the memory that torch keeps for later. On the host it is
    Linux's "MemAvailable", because the free pages of `os.sysconf` leave out the file cache and
    shrink with every file that is read; a lower limit of a container counts in its place. If the
    system has neither figure, half of its memory counts as free, or 4 GiB if its size is unknown.
    """
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return free + kept
    found = [_available(), _left_in_group()]
    return min((value for value in found if value is not None), default=_half_of_all())


def _available() -> int | None:
    """Return the memory that Linux has available for programs; None on other systems."""
    try:
        lines = _MEMINFO.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    sizes = dict(line.split(":", 1) for line in lines if ":" in line)
    value = sizes.get("MemAvailable", "").split()
    return int(value[0]) * 1024 if value else None


def _left_in_group() -> int | None:
    """Return the memory left below the limit of a container; None if there is no limit."""
    try:
        limit, used = (
            (_GROUP / name).read_text(encoding="ascii").strip()
            for name in ("memory.max", "memory.current")
        )
    except OSError:
        return None
    return max(int(limit) - int(used), 0) if limit.isdigit() else None


def _half_of_all() -> int:
    """Return half of the host's memory."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (AttributeError, ValueError, OSError):
        return _ASSUMED


@functools.cache
def keep_freed_memory() -> bool:
    """Make the C library keep up to 512 MiB of freed memory; return whether it does.

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


def empty_device_cache() -> None:
    """Free a GPU allocator's cached blocks, which a population of another size cannot use."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def if_it_fits(run: Callable[[], Result], *, is_smallest: bool = False) -> Result | None:
    """Return ``run()``, or None if it does not fit into the memory.

    Args:
        run: The work.
        is_smallest: Whether the work cannot be halved.

    Raises:
        TrainingError: The smallest work does not fit.
    """
    # The handler ends here: the error's traceback would hold the tensors that filled the memory.
    try:
        return run()
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        if is_smallest:
            raise TrainingError(
                "The memory must hold at least one candidate, but it does not: set a smaller "
                "batch_size or width in the space, or use fewer rows."
            ) from error
    return None


def half(count: int) -> int:
    """Return the number to try if `count` did not fit; 1 for 1."""
    return (count + 1) // 2


def in_halves(
    run: Callable[[Sequence[Item]], list[Result]],
    items: Sequence[Item],
    *,
    on_halved: Callable[[int], None] | None = None,
) -> list[Result]:
    """Return ``run(items)``, one half after the other if memory cannot hold all items.

    Args:
        run: A function of a sequence of items that returns a result per item.
        items: The items.
        on_halved: Called with the next number of items.

    Raises:
        TrainingError: One item alone does not fit.
    """
    done = if_it_fits(lambda: run(items), is_smallest=len(items) == 1)
    if done is not None:
        return done
    empty_device_cache()
    first = half(len(items))
    if on_halved is not None:
        on_halved(first)
    results = in_halves(run, items[:first], on_halved=on_halved)
    return results + in_halves(run, items[first:], on_halved=on_halved)
