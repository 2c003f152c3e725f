"""Where the time of a search goes, and when it is up."""

from __future__ import annotations

import time
from dataclasses import dataclass

FINAL_SHARE = 0.15
"""Share of a time limit that is kept for the final trainings, the confirmation and the report."""


@dataclass
class Clock:
    """Where the time of a search goes, and when it is up.

    Args:
        started: When the search began, on `time.monotonic`'s clock.
        limit: Seconds it may take; None for as many as it needs.
        training: Seconds spent in training so far.
    """

    started: float
    limit: float | None = None
    training: float = 0.0

    @property
    def elapsed(self) -> float:
        """Return seconds since the start."""
        return time.monotonic() - self.started

    @property
    def search_ends(self) -> float | None:
        """Return when the search must end, so that the final trainings have their share."""
        return None if self.limit is None else self.started + (1.0 - FINAL_SHARE) * self.limit

    @property
    def is_up(self) -> bool:
        """Return whether nothing more should be begun."""
        ends = self.search_ends
        return ends is not None and time.monotonic() >= ends

    @property
    def ends(self) -> float | None:
        """Return when everything must end."""
        return None if self.limit is None else self.started + self.limit
