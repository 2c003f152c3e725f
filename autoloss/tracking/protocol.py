"""The interface of a tracker, and trackers that write nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from autoloss.records import Summary, TrialRecord
from autoloss.tracking.dashboard import Dashboard


@dataclass(frozen=True)
class Pending:
    """The runs that a tracker could not write before it was closed.

    Args:
        count: Number of missing or incomplete runs.
        reason: The reason, in one line; empty if all runs are written.
    """

    count: int = 0
    reason: str = ""


@dataclass(frozen=True, eq=False)
class SavedModels:
    """The models of a study with saved weights.

    Args:
        folders: Their folders, of `Classifier.save`, by the number of the trial.
        register: Name in the model registry for the winner; empty to register nothing.
    """

    folders: Mapping[int, Path] = field(default_factory=dict)
    register: str = ""


class Tracking(Protocol):
    """Shows a study in another program; no method but `close` waits for it."""

    @property
    def trouble(self) -> str:
        """Return the reason that nothing can be written now, in one line; empty for none."""

    @property
    def written(self) -> int:
        """Return the number of trials' runs written or completed so far."""

    @property
    def shown_uri(self) -> str:
        """Return the URI of the tracking store, without a password; empty for none."""

    def start(self, description: Mapping[str, str]) -> None:
        """Open the study, or reopen it after a resume."""

    def log_trial(self, record: TrialRecord) -> None:
        """Write a trial that ended."""

    def sync(self, records: Iterable[TrialRecord]) -> None:
        """Write the trials that are not written yet."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Return the permanent gaps in the store, a sentence each."""

    def finish(
        self, summary: Summary, report_files: Sequence[Path], saved: SavedModels | None = None
    ) -> None:
        """Write the verdict, the report and the models."""

    def close(self, timeout: float = 60.0) -> Pending:
        """Wait at most `timeout` seconds for all writes; return the missing runs."""

    def dashboard(self) -> Dashboard | None:
        """Return the dashboard of the study; None for none."""


class NullTracker:
    """A tracker that writes nothing."""

    @property
    def trouble(self) -> str:
        """Return an empty reason."""
        return ""

    @property
    def written(self) -> int:
        """Return 0."""
        return 0

    @property
    def shown_uri(self) -> str:
        """Return an empty URI."""
        return ""

    def start(self, description: Mapping[str, str]) -> None:
        """Do nothing."""

    def log_trial(self, record: TrialRecord) -> None:
        """Do nothing."""

    def sync(self, records: Iterable[TrialRecord]) -> None:
        """Do nothing."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Return no gaps."""
        return ()

    def finish(
        self, summary: Summary, report_files: Sequence[Path], saved: SavedModels | None = None
    ) -> None:
        """Do nothing."""

    def close(self, timeout: float = 60.0) -> Pending:
        """Return no missing runs."""
        return Pending()

    def dashboard(self) -> Dashboard | None:
        """Return None."""
        return None


class ClosedTracker(NullTracker):
    """A tracker for a store that cannot be opened; it counts the missing runs.

    Args:
        reason: The reason, and the remedy.
    """

    def __init__(self, reason: str) -> None:
        self._reason = reason
        self._missing: set[int] = set()

    def sync(self, records: Iterable[TrialRecord]) -> None:
        """Count the trials that ended."""
        self._missing.update(record.number for record in records if record.ended > 0)

    def close(self, timeout: float = 60.0) -> Pending:
        """Return the missing runs: all trials and the parent run."""
        return Pending(len(self._missing) + 1, self._reason)
