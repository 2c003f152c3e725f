"""Checks whether a process of this machine still runs, on every system."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from pathlib import Path

_SYNCHRONIZE = 0x00100000
_QUERY_LIMITED = 0x1000
_ACCESS_DENIED = 5
_STILL_RUNNING = 0x102


def host_name() -> str:
    """Return the name of this machine."""
    return platform.node()


def is_running(pid: int) -> bool:
    """Return whether a process of this machine runs; True if unknown."""
    if pid <= 0:
        return False
    if sys.platform == "win32":
        return _is_running_on_windows(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    """Return whether a process has ended but still has its number."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    # The name of the program stands in parentheses and may hold anything, ")" too.
    return fields.rpartition(")")[2].split()[:1] in (["Z"], ["X"])


def _is_running_on_windows(pid: int) -> bool:  # pragma: no cover
    """Ask the kernel: there `os.kill(pid, 0)` would end the process."""
    kernel = ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined,unused-ignore]
    handle = kernel.OpenProcess(_SYNCHRONIZE | _QUERY_LIMITED, False, pid)
    if not handle:
        error: int = ctypes.get_last_error()  # type: ignore[attr-defined,unused-ignore]
        return error == _ACCESS_DENIED
    try:
        return int(kernel.WaitForSingleObject(handle, 0)) == _STILL_RUNNING
    finally:
        kernel.CloseHandle(handle)
