"""Where the time of a search goes, and when it is up."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

MOST_CROWDING = 3.0
"""How crowded a machine is believed to be: waiting for a disk looks the same."""
_BEGAN: ContextVar[float | None] = ContextVar("began", default=None)


@contextmanager
def counting_from(began: float) -> Iterator[None]:
    """Let the clocks that start in this context count from a moment before it.

    A program's limit includes the seconds in which it loads.

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
    """Where the time of a search goes, and when it is up.

    Args:
        started: When the search began, on `time.monotonic`'s clock.
        limit: Seconds it may take; None for as many as it needs.
        training: Seconds spent in training so far.
        reserved: Seconds at the end of the limit that are kept for the final trainings, the
            verdict and the report.
        processor: Seconds that the process had computed when the search began.
    """

    started: float
    limit: float | None = None
    training: float = 0.0
    reserved: float = 0.0
    processor: float = 0.0

    @classmethod
    def start(cls, limit: float | None = None) -> Clock:
        """Return a clock that counts from now, or from where `counting_from` says."""
        began = _BEGAN.get()
        if began is None:
            return cls(time.monotonic(), limit, processor=time.process_time())
        return cls(began, limit)

    @property
    def crowding(self) -> float:
        """Return how many times as long as alone the work so far took, on a busy machine.

        It is told from the processor's time, which one thread of a quiet machine has whole.
        """
        used = time.process_time() - self.processor
        return min(max(self.elapsed / max(used, 0.25), 1.0), MOST_CROWDING)

    @property
    def elapsed(self) -> float:
        """Return seconds since the start."""
        return time.monotonic() - self.started

    @property
    def search_ends(self) -> float | None:
        """Return when the search must end, so that what follows has its time."""
        return None if self.limit is None else self.started + self.limit - self.reserved

    @property
    def is_up(self) -> bool:
        """Return whether nothing more should be begun."""
        ends = self.search_ends
        return ends is not None and time.monotonic() >= ends

    @property
    def ends(self) -> float | None:
        """Return when everything must end."""
        return None if self.limit is None else self.started + self.limit

    @property
    def left(self) -> float | None:
        """Return seconds until everything must end; None without a limit."""
        ends = self.ends
        return None if ends is None else ends - time.monotonic()
