"""The clock of a search: the time spent, and the time left."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

MOST_CROWDING = 3.0
"""The largest crowding that is believed, because waiting for a disk looks the same."""
_BEGAN: ContextVar[float | None] = ContextVar("began", default=None)


@contextmanager
def counting_from(began: float) -> Iterator[None]:
    """Let clocks that start in this context count from an earlier moment.

    The limit of a program includes the seconds of its start.

    Args:
        began: The moment, on `time.monotonic`'s clock.
    """
    token = _BEGAN.set(began)
    try:
        yield
    finally:
        _BEGAN.reset(token)


@dataclass
class Clock:
    """The clock of a search: the time spent, and the time left.

    Args:
        started: When the search began, on `time.monotonic`'s clock.
        limit: The most seconds of the search; None for no limit.
        training: Seconds spent in training so far.
        reserved: Seconds at the end of the limit that are kept for the final training runs, the
            verdict and the report.
        processor: Processor seconds of the process when the search began.
    """

    started: float
    limit: float | None = None
    training: float = 0.0
    reserved: float = 0.0
    processor: float = 0.0

    @classmethod
    def start(cls, limit: float | None = None) -> Clock:
        """Return a clock that counts from now, or from the moment of `counting_from`."""
        began = _BEGAN.get()
        if began is None:
            return cls(time.monotonic(), limit, processor=time.process_time())
        return cls(began, limit)

    @property
    def crowding(self) -> float:
        """Return the slowdown of the work so far on a busy machine; 1 on a quiet machine.

        On a quiet machine one thread gets all of the processor's time.
        """
        used = time.process_time() - self.processor
        return min(max(self.elapsed / max(used, 0.25), 1.0), MOST_CROWDING)

    @property
    def elapsed(self) -> float:
        """Return seconds since the start."""
        return time.monotonic() - self.started

    @property
    def search_ends(self) -> float | None:
        """Return the moment at which the search must end, so that the reserved seconds remain."""
        return None if self.limit is None else self.started + self.limit - self.reserved

    @property
    def is_up(self) -> bool:
        """Return whether the time is up, so that nothing more should begin."""
        ends = self.search_ends
        return ends is not None and time.monotonic() >= ends

    @property
    def ends(self) -> float | None:
        """Return the moment at which everything must end."""
        return None if self.limit is None else self.started + self.limit

    @property
    def left(self) -> float | None:
        """Return seconds until everything must end; None without a limit."""
        ends = self.ends
        return None if ends is None else ends - time.monotonic()
