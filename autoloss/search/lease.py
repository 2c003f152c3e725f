"""Leases: the worker of a running trial, and the time until which it counts as alive."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
import threading
import time
import uuid
import weakref
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState

LEASE_SECONDS = 600.0
# Constants of the Windows API.
_SYNCHRONIZE = 0x00100000
_QUERY_LIMITED = 0x1000
_ACCESS_DENIED = 5
_STILL_RUNNING = 0x102
# Workers of this process. A process number alone is ambiguous: an earlier process may have had the
# same number, as happens in containers.
_here: set[str] = set()


@dataclass(frozen=True)
class Lease:
    """The promise of a worker to tell its trials.

    Args:
        worker: Unique name of the worker.
        host: Its machine.
        pid: Its process there.
        until: The end of the lease unless it is renewed, seconds since the epoch.
    """

    worker: str
    host: str
    pid: int
    until: float

    @classmethod
    def new(cls, *, seconds: float = LEASE_SECONDS, now: float | None = None) -> Lease:
        """Return a lease of a new worker in this process.

        Args:
            seconds: Its length.
            now: The time on the clock that all workers read; by default that of this machine.
        """
        worker = uuid.uuid4().hex
        _here.add(worker)
        return cls(worker, platform.node(), os.getpid(), _clock(now) + seconds)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Lease:
        """Return the lease that `to_dict` wrote."""
        return cls(
            str(values["worker"]), str(values["host"]), int(values["pid"]), float(values["until"])
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the lease as JSON values."""
        return asdict(self)

    def renewed(self, *, seconds: float = LEASE_SECONDS, now: float | None = None) -> Lease:
        """Return the lease with a later end; `now` as for `new`."""
        return replace(self, until=_clock(now) + seconds)

    def is_held(self, now: float | None = None) -> bool:
        """Return whether a worker still holds this lease; `now` as for `new`."""
        if self.until < _clock(now):
            return False
        if self.host != platform.node():
            return True
        if self.pid == os.getpid():
            return self.worker in _here
        return is_running(self.pid)

    def give_up(self) -> None:
        """End this lease of a worker of this process."""
        _here.discard(self.worker)


def _clock(now: float | None) -> float:
    return time.time() if now is None else now


def lease_key(worker: str) -> str:
    """Return the key under which a study keeps the renewed lease of a worker."""
    return f"lease:{worker}"


def is_abandoned(trial: FrozenTrial, attributes: Mapping[str, Any], now: float) -> bool:
    """Return whether a running trial has no worker.

    Args:
        trial: The trial.
        attributes: The facts of the study, with the renewed leases of its workers.
        now: The time on the clock of the study's storage.
    """
    if trial.state != TrialState.RUNNING:
        return False
    written = trial.user_attrs["lease"]
    return not Lease.from_dict(attributes.get(lease_key(written["worker"]), written)).is_held(now)


class Heartbeat:
    """Renews a lease from a separate thread for as long as its owner lives.

    Args:
        owner: The owner of the lease; the thread ends with it.
        renew: Called with the owner. Its errors are ignored until the next beat, so that a storage
            that is unreachable for a while does not end the training.
        seconds: Time between two beats.
    """

    def __init__(
        self, owner: object, renew: Callable[[Any], None], *, seconds: float = LEASE_SECONDS / 4
    ) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=_beat,
            args=(weakref.ref(owner), renew, self._stop, seconds),
            name="autoloss-lease",
            daemon=True,
        )
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()


def _beat(
    owner: weakref.ref[object],
    renew: Callable[[Any], None],
    stop: threading.Event,
    seconds: float,
) -> None:
    while not stop.wait(seconds):
        alive = owner()
        if alive is None:
            return
        try:
            renew(alive)
        except Exception:
            # A thread has no caller to raise to, so it tries again.
            continue
        finally:
            del alive


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
    # The name of the program is in parentheses and may hold anything, ")" too.
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
