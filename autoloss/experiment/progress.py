"""The progress of a running search; the terminal and other front ends implement `Progress`."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from autoloss.records import Plan, Update
from autoloss.report.words import duration_text

PHASES = {"search": "Searching", "final": "Final training runs"}
LINE_SECONDS = 5.0
"""Least seconds between two lines in a log."""


class Progress(Protocol):
    """Receives the plan of a search, its progress, and notes for the user."""

    def planned(self, plan: Plan) -> None:
        """Show the plan."""

    def updated(self, update: Update) -> None:
        """Show the progress."""

    def noted(self, text: str) -> None:
        """Show one sentence that the user should know."""

    def detailed(self, text: str) -> None:
        """Show one sentence to users who ask for details."""


class Silent:
    """Progress that shows nothing."""

    def planned(self, plan: Plan) -> None:
        """Show nothing."""

    def updated(self, update: Update) -> None:
        """Show nothing."""

    def noted(self, text: str) -> None:
        """Show nothing."""

    def detailed(self, text: str) -> None:
        """Show nothing."""


class Pace:
    """Decides when a log gets its next line.

    Args:
        every: Least seconds between two lines; a new phase and the end are always shown.
        clock: A monotonic clock, in seconds.
    """

    def __init__(
        self, *, every: float = LINE_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._every, self._clock = every, clock
        self._last, self._phase = -float("inf"), ""

    def is_due(self, update: Update) -> bool:
        """Return whether the update gets a line; the next line is counted from it then."""
        now = self._clock()
        is_old = now - self._last >= self._every
        if not (is_old or update.phase != self._phase or update.fraction >= 1.0):
            return False
        self._last, self._phase = now, update.phase
        return True


def trials_text(update: Update) -> str:
    """Return the finished and the planned trials, such as ``3/16 trials``."""
    return f"{update.done}/{update.total} trials"


def left_text(update: Update) -> str:
    """Return the time left, such as ``1 min 5 s left``; empty if unknown."""
    if not 0 <= update.left < float("inf"):
        return ""
    return f"{duration_text(round(update.left))} left"
