"""Faults of a machine, which a program of the fork server meets."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any

from tests.faults.fork_server import Board

Listeners = list[Callable[[str, str], None]]


def die_at_write(
    board: Board, listeners: Listeners, *, number: int, phase: str | None = None
) -> None:
    """Kill the program before its write of that number.

    Args:
        board: The board of the program.
        listeners: Hear of its writes.
        number: Counts from 1, and from the first entry into the phase.
        phase: A phase of the fork server; None for the start of the program.
    """
    heard = 0

    def listen(event: str, name: str) -> None:
        nonlocal heard
        heard += phase is None or board.entries(phase) > 0
        if heard >= number:
            os.kill(os.getpid(), signal.SIGKILL)

    listeners.append(listen)


def die_at_run_write(board: Board, listeners: Listeners, *, number: int, before: bool) -> None:
    """Kill the program at its write of that number to the database of runs.

    Args:
        board: The board of the program.
        listeners: Hear of its writes.
        number: Counts from 1.
        before: Whether it dies before the write, or after it.
    """
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    seen = 0

    def watch(name: str) -> None:
        plain = getattr(SqlAlchemyStore, name)

        def write(*arguments: Any, **options: Any) -> Any:
            nonlocal seen
            seen += 1
            is_due = seen == number
            if is_due and before:
                os.kill(os.getpid(), signal.SIGKILL)
            found = plain(*arguments, **options)
            if is_due:
                os.kill(os.getpid(), signal.SIGKILL)
            return found

        setattr(SqlAlchemyStore, name, write)

    for name in ("create_run", "log_batch", "update_run_info", "set_tag"):
        watch(name)


def fail_at_write(
    board: Board, listeners: Listeners, *, number: int, error: int, only: int = 0
) -> None:
    """Refuse every write from a number on, as a full disk does.

    Args:
        board: The board of the program.
        listeners: Hear of its writes.
        number: The number of the first write that fails.
        error: The number of the error, such as ``errno.ENOSPC``.
        only: How many writes fail; 0 for all.
    """

    def listen(event: str, name: str) -> None:
        is_refused = event in ("open", "os.mkdir")
        late = board.writes - number
        if is_refused and late >= 0 and (not only or late < only):
            raise OSError(error, os.strerror(error), name)

    listeners.append(listen)


def limit_files(board: Board, listeners: Listeners, *, size: int) -> None:
    """Let no file grow beyond a size in bytes, as a quota does."""
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def tell_slowly(board: Board, listeners: Listeners, *, seconds: float) -> None:
    """Make the telling of trials take longer, so that a signal meets it."""
    from autoloss.search import Study

    plain = Study.tell_many

    def slow(self: Study, *arguments: Any, **options: Any) -> Any:
        time.sleep(seconds)
        return plain(self, *arguments, **options)

    Study.tell_many = slow  # type: ignore[method-assign]


def set_clock(board: Board, listeners: Listeners, *, seconds: float, calls: int = 0) -> None:
    """Set the clock of the day forward, or back if negative.

    Args:
        board: The board of the program.
        listeners: Hear of its writes.
        seconds: By how much.
        calls: After how many readings it is set right, and wrong after as many; 0 for never.
    """
    plain, read = time.time, [0]

    def jumping() -> float:
        read[0] += 1
        is_off = calls and read[0] // calls % 2
        return plain() + (0.0 if is_off else seconds)

    time.time = jumping


def hold_at_most(board: Board, listeners: Listeners, *, candidates: int, kind: str) -> None:
    """Let the device hold few candidates.

    Args:
        board: The board of the program.
        listeners: Hear of its writes.
        candidates: The most that fit.
        kind: The error: ``"host"`` of Python, ``"device"`` of torch.
    """
    import torch

    from autoloss.training.population import Population

    plain = Population.__init__

    def limited(self: Population, networks: Any, those: Any, *rest: Any, **options: Any) -> None:
        if len(those) > candidates:
            raise MemoryError if kind == "host" else torch.OutOfMemoryError("CUDA out of memory.")
        plain(self, networks, those, *rest, **options)

    Population.__init__ = limited  # type: ignore[method-assign]
