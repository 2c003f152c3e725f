"""Where the time of a search goes, and when it is up."""

from __future__ import annotations

import time
from dataclasses import dataclass

LEAST_FINAL_SHARE, LARGEST_FINAL_SHARE = 0.15, 0.6
"""Share of a time limit that is kept for what comes after the search, at least and at most."""


@dataclass
class Clock:
    """Where the time of a search goes, and when it is up.

    Args:
        started: When the search began, on `time.monotonic`'s clock.
        limit: Seconds it may take; None for as many as it needs.
        training: Seconds spent in training so far.
        final_share: Share of the limit that is kept for the final trainings, the confirmation and
            the report.
    """

    started: float
    limit: float | None = None
    training: float = 0.0
    final_share: float = LEAST_FINAL_SHARE

    def reserve(self, share: float) -> None:
        """Keep a share of the limit for what comes after the search, within bounds."""
        self.final_share = min(max(share, LEAST_FINAL_SHARE), LARGEST_FINAL_SHARE)

    @property
    def elapsed(self) -> float:
        """Return seconds since the start."""
        return time.monotonic() - self.started

    @property
    def search_ends(self) -> float | None:
        """Return when the search must end, so that the final trainings have their share."""
        return None if self.limit is None else self.started + (1.0 - self.final_share) * self.limit

    @property
    def is_up(self) -> bool:
        """Return whether nothing more should be begun."""
        ends = self.search_ends
        return ends is not None and time.monotonic() >= ends

    @property
    def ends(self) -> float | None:
        """Return when everything must end."""
        return None if self.limit is None else self.started + self.limit
