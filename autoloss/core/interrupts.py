"""Interrupts of a program: short work is finished before the first, nothing before the second."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from autoloss.core.errors import Terminated

OF_SYSTEM = tuple(signal.Signals[name] for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
"""The signals by which the system ends a program.

A terminal that is closed sends the second, which Windows does not have.
"""


_received: list[int] = []


def code_of(stop: BaseException) -> int:
    """Return the exit code of an interrupt: of Ctrl-C, or of a signal of the system."""
    causes = (one.number for one in (stop, stop.__cause__) if isinstance(one, Terminated))
    # As a shell shows the end by a signal.
    return 128 + next(causes, int(signal.SIGINT))


def terminate(number: int, frame: FrameType | None) -> None:
    """End the program at a signal of the system, as its handler.

    Raises:
        Terminated: Always; code that a library in C has called may lose it.
    """
    _received.append(number)
    raise Terminated(number)


def received() -> Terminated | None:
    """Return the last signal that `terminate` handled; None if there was none."""
    return Terminated(_received[-1]) if _received else None


@contextmanager
def finishing() -> Iterator[None]:
    """Finish the short work of the context before Ctrl-C or a signal of the system take effect.

    A second signal takes effect at once. Signals reach the main thread alone; in other threads
    the context does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {int(number): signal.getsignal(number) for number in (signal.SIGINT, *OF_SYSTEM)}
    waiting: list[int] = []

    def wait(number: int, frame: FrameType | None) -> None:
        handler = handlers[number]
        if waiting and callable(handler):
            handler(number, frame)
        waiting.append(number)

    for number, handler in handlers.items():
        # Other handlers are the system's: it ignores the signal, or ends the process at once.
        if callable(handler):
            signal.signal(number, wait)
    try:
        yield
    finally:
        for number, handler in handlers.items():
            if callable(handler):
                signal.signal(number, handler)
    if waiting:
        handler = handlers[waiting[0]]
        assert callable(handler)
        handler(waiting[0], None)
