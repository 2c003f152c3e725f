"""Work of the end of a search that threads do while other processes train."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import cache
from typing import Generic, TypeVar

from threadpoolctl import threadpool_limits

from autoloss.report.html import html_template
from autoloss.report.markdown import markdown_template

T = TypeVar("T")


class Ahead(Generic[T]):
    """A value that a thread computes early if there is time, and the caller later if not.

    Args:
        work: Computes the value. In the thread it has one thread of OpenMP, because idle threads
            that wait for each other take the processors of the processes that train.
    """

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._found: Future[T] = Future()
        self._lock = threading.Lock()
        self._has_begun = False

    def begin(self) -> None:
        """Begin in a thread, unless the work has begun."""
        if self._is_first():
            # A search that is interrupted does not wait for it.
            threading.Thread(target=self._run_alone, name="autoloss-ahead", daemon=True).start()

    def result(self) -> T:
        """Return the value, or raise the error of the work."""
        if self._is_first():
            self._run()
        return self._found.result()

    def _is_first(self) -> bool:
        with self._lock:
            is_first, self._has_begun = not self._has_begun, True
        return is_first

    def _run_alone(self) -> None:
        with threadpool_limits(1, user_api="openmp"):
            self._run()

    def _run(self) -> None:
        try:
            self._found.set_result(self._work())
        except BaseException as error:
            self._found.set_exception(error)


@cache
def load_ahead() -> threading.Thread:
    """Load libraries and templates in a thread, once in a process, and return the thread."""
    thread = threading.Thread(target=_load, name="autoloss-ahead", daemon=True)
    thread.start()
    return thread


def _load() -> None:
    # The search says so itself if it cannot do without a library.
    with contextlib.suppress(ImportError):
        import autoloss.search.importance  # noqa: F401
    html_template()
    markdown_template()
