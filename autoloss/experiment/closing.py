"""How a study closes: at its end, after an interruption, and if it is refused or cannot go on."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from autoloss.core.errors import InputError, SearchInterrupted, UnwritableError
from autoloss.report.words import count_text
from autoloss.search import Study
from autoloss.tracking import NullTracker, Tracking

CLOSING_SECONDS = 5.0
"""Seconds that an interrupted search waits for MLflow; `resume` writes the missing runs."""


@contextmanager
def closing(study: Study, tracker: Tracking) -> Iterator[None]:
    """Return unfinished trials and write finished ones, also after an interruption.

    Raises:
        SearchInterrupted: The user interrupted the search, or its end.
        UnwritableError: The disk is full, or the like.
    """
    try:
        try:
            yield
        finally:
            study.close()
            tracker.close(CLOSING_SECONDS)
    except KeyboardInterrupt as stop:
        raise SearchInterrupted(study.name) from stop
    except UnwritableError as error:
        if not (trials := study.trials):
            raise
        ended = count_text(sum(trial.ended > 0 for trial in trials), "finished trial")
        raise UnwritableError(
            f"{error} The study is kept, with {ended}: once there is space, "
            f"`autoloss resume {study.name}` continues."
        ) from error


@contextmanager
def withdrawn_if_refused(study: Study) -> Iterator[None]:
    """Remove a new study that was refused before its first trial, so that its name stays free.

    A study in a database stays: other programs may have opened it.
    """
    try:
        yield
    except InputError:
        if not study.trials and study.config.storage is None:
            shutil.rmtree(study.folder, ignore_errors=True)
        raise


@contextmanager
def left_closed(study: Study, tracker: Tracking | None = None) -> Iterator[None]:
    """Close a study that cannot go on, and show its end in MLflow."""
    shown = tracker or NullTracker()
    try:
        yield
    except BaseException:
        with closing(study, shown):
            shown.start({})
            shown.sync(study.trials)
        raise
