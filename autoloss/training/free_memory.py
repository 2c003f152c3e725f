"""The free memory of a device."""

from __future__ import annotations

import os
from pathlib import Path

import torch

_ASSUMED = 1 << 32
_MEMINFO = Path("/proc/meminfo")
_GROUP = Path("/sys/fs/cgroup")


def free_memory(device: torch.device) -> int:
    """Return the unused memory of a device, in bytes.

    Of a GPU it is what the driver says and what torch keeps for later. Of the host it is what
    Linux calls available: the free pages that `os.sysconf` counts leave out the file cache, so
    they shrink with every file that is read. The limit of a container counts where it is lower.
    A system that tells neither has half of its memory free, or 4 GiB where it does not tell that.
    """
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return free + kept
    found = [_available(), _left_in_group()]
    return min((value for value in found if value is not None), default=_half_of_all())


def _available() -> int | None:
    """Return what Linux says is available to programs, None on other systems."""
    try:
        lines = _MEMINFO.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    sizes = dict(line.split(":", 1) for line in lines if ":" in line)
    value = sizes.get("MemAvailable", "").split()
    return int(value[0]) * 1024 if value else None


def _left_in_group() -> int | None:
    """Return what a container's limit leaves, or None if there is no limit."""
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
