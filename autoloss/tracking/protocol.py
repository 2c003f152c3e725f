"""What a search needs of a tracker, and the tracker that tracks nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from autoloss.records import Summary, TrialRecord
from autoloss.tracking.dashboard import Dashboard
from autoloss.tracking.shelf import Shelf


@dataclass(frozen=True)
class Pending:
    """What a tracker could not write before it was closed.

    Args:
        count: Runs that are missing or incomplete; 0 when everything is written.
        reason: Why, in one line; empty when everything is written.
    """

    count: int = 0
    reason: str = ""


class Tracking(Protocol):
    """Shows a study somewhere else; no method waits for it, except `close`."""

    @property
    def trouble(self) -> str:
        """Return why nothing can be written at the moment, in one line; empty when all is well."""

    @property
    def written(self) -> int:
        """Return how many runs of trials were written or completed so far."""

    @property
    def shown_uri(self) -> str:
        """Return where the study is shown, without a password; empty for nowhere."""

    def start(self, description: Mapping[str, str]) -> None:
        """Open the study, or open it again after a resume."""

    def log_trial(self, record: TrialRecord) -> None:
        """Show a trial that ended."""

    def sync(self, records: Iterable[TrialRecord]) -> None:
        """Show those of the trials that are not shown yet."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what could not be shown for good, and why, a sentence each."""

    def finish(
        self, summary: Summary, report_files: Sequence[Path], shelf: Shelf | None = None
    ) -> None:
        """Show the verdict, keep the report and show the models."""

    def close(self, timeout: float = 60.0) -> Pending:
        """Wait until all is written, at most `timeout` seconds, and say what is not."""

    def dashboard(self) -> Dashboard | None:
        """Return where the study is looked at; None if there is nothing to look at."""


class NullTracker:
    """A tracker that tracks nothing."""

    @property
    def trouble(self) -> str:
        """Return that all is well."""
        return ""

    @property
    def written(self) -> int:
        """Return that nothing was written."""
        return 0

    @property
    def shown_uri(self) -> str:
        """Return that it is shown nowhere."""
        return ""

    def start(self, description: Mapping[str, str]) -> None:
        """Do nothing."""

    def log_trial(self, record: TrialRecord) -> None:
        """Do nothing."""

    def sync(self, records: Iterable[TrialRecord]) -> None:
        """Do nothing."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Return that nothing is missing."""
        return ()

    def finish(
        self, summary: Summary, report_files: Sequence[Path], shelf: Shelf | None = None
    ) -> None:
        """Do nothing."""

    def close(self, timeout: float = 60.0) -> Pending:
        """Return that nothing is left to write."""
        return Pending()

    def dashboard(self) -> Dashboard | None:
        """Return None: there is nothing to look at."""
        return None


class ClosedTracker(NullTracker):
    """A tracker for a store that cannot be opened: it counts what is missing there.

    Args:
        reason: Why it cannot be opened, and what to do.
    """

    def __init__(self, reason: str) -> None:
        self._reason = reason
        self._missing: set[int] = set()

    def sync(self, records: Iterable[TrialRecord]) -> None:
        """Count the trials."""
        self._missing.update(record.number for record in records if record.ended > 0)

    def close(self, timeout: float = 60.0) -> Pending:
        """Return that all of the study is missing, the parent run included."""
        return Pending(len(self._missing) + 1, self._reason)
