"""A background thread that does writes in order, and repeats failed writes."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from autoloss.tracking.failures import Refused, one_line
from autoloss.tracking.protocol import Pending

DELAYS = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)


@dataclass(frozen=True)
class WriteJob:
    """A write: the name of its run, and an action that can be repeated."""

    run: str
    action: Callable[[], None]


class Writer:
    """Does writes in order, in a daemon thread.

    Args:
        delays: Waits after the first, second, ... failure in a row, in seconds; the last repeats.
        grace: Seconds that `close` waits while all writes fail.
    """

    def __init__(self, *, delays: tuple[float, ...] = DELAYS, grace: float = 3.0) -> None:
        self._delays = delays
        self._grace = grace
        self._queue: deque[WriteJob] = deque()
        self._given_up: list[tuple[WriteJob, str]] = []
        self._changed = threading.Condition()
        self._closing = self._abandoned = False
        self._thread: threading.Thread | None = None
        self._away = ""
        self._written = -math.inf

    @property
    def trouble(self) -> str:
        """Return the reason of a failed write, in one line; empty for none."""
        return self._away or (self._given_up[-1][1] if self._given_up else "")

    def put(self, job: WriteJob) -> None:
        """Queue a write; after `close` it only counts as missing."""
        with self._changed:
            self._queue.append(job)
            if self._thread is None and not self._closing:
                self._thread = threading.Thread(
                    target=self._work, name="autoloss-tracking", daemon=True
                )
                self._thread.start()
            self._changed.notify_all()

    def close(self, timeout: float) -> Pending:
        """Wait at most `timeout` seconds for an empty queue, and return the missing runs.

        While all writes fail, the wait ends `grace` seconds after the last successful write.
        """
        closed = time.monotonic()
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            while self._thread is not None and self._queue:
                left = timeout - (time.monotonic() - closed)
                if self._away:
                    since = time.monotonic() - max(closed, self._written)
                    left = min(left, self._grace - since)
                if left <= 0:
                    break
                self._changed.wait(min(left, 0.1))
            self._abandoned = True
            self._changed.notify_all()
            runs = {job.run for job in (*self._queue, *(job for job, _ in self._given_up))}
            reason = self.trouble or "there was no time left"
            return Pending(len(runs), reason) if runs else Pending()

    def _work(self) -> None:
        """Do the writes one after another until the writer is closed."""
        while (job := self._next()) is not None:
            refusal = self._write(job)
            with self._changed:
                if self._abandoned:
                    return
                self._queue.popleft()
                self._written = time.monotonic()
                if refusal:
                    self._given_up.append((job, refusal))
                self._changed.notify_all()

    def _next(self) -> WriteJob | None:
        """Return the oldest write, which stays in the queue until it is done; None at the end."""
        with self._changed:
            while not self._queue and not self._closing:
                self._changed.wait()
            return self._queue[0] if self._queue and not self._abandoned else None

    def _write(self, job: WriteJob) -> str:
        """Repeat a write until it succeeds or is given up; return the reason, empty for none."""
        failures = refusals = 0
        while not self._abandoned:
            try:
                job.action()
            # No error of a tracking server may end a search.
            except Exception as error:
                reason = one_line(error)
                if isinstance(error, Refused):
                    refusals += 1
                    if refusals >= error.attempts:
                        self._away = ""
                        return reason
                self._away = reason
                self._pause(self._delays[min(failures, len(self._delays) - 1)])
                failures += 1
            else:
                self._away = ""
                return ""
        return ""

    def _pause(self, seconds: float) -> None:
        """Wait before the next attempt; closing the writer shortens the wait."""
        end = time.monotonic() + seconds
        with self._changed:
            while not self._abandoned and (left := end - time.monotonic()) > 0:
                self._changed.wait(min(left, self._delays[0]) if self._closing else left)
                if self._closing:
                    return
