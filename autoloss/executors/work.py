"""The boundary between a search and the machines that train: work goes out, reports come back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from autoloss.training import Candidate, Job, Outcome, Spare, longest_schedule


@dataclass(frozen=True, eq=False)
class Work:
    """Candidates to train, in values that another process or machine can read.

    Args:
        jobs: The divisions of the rows. An executor of other processes sends them once.
        candidates: The candidates; each names its division.
        seconds: Seconds until the training stops; None for no limit. No clock is common to two
            machines, so there is no deadline.
        at_once: Whether all candidates form one population, if the memory holds it.
        needs_weights: Whether the outcomes need the best weights; without them they are empty.
    """

    jobs: tuple[Job, ...]
    candidates: tuple[Candidate, ...]
    seconds: float | None = None
    at_once: bool = False
    needs_weights: bool = True

    @property
    def max_epochs(self) -> int:
        """Return the epochs of the longest schedule."""
        return longest_schedule(self.jobs, self.candidates)

    @property
    def deadline(self) -> float | None:
        """Return when the training stops if it starts now, on `time.monotonic`'s clock."""
        return None if self.seconds is None else time.monotonic() + self.seconds


@dataclass(frozen=True, eq=False)
class Report:
    """The end of the training of a candidate.

    Args:
        place: Its place among the candidates of the work.
        outcome: The result.
    """

    place: int
    outcome: Outcome


class Executor(Protocol):
    """Trains candidates: in this process, or in others.

    Attributes:
        together: Candidates to train together.
    """

    together: int

    def submit(self, work: Work, *, spare: Spare | None = None) -> Iterator[Report]:
        """Train candidates; yield a report for each in the order in which they end.

        Args:
            work: The candidates with their data.
            spare: Names after every epoch of a population the candidates that stop.

        Raises:
            TrainingError: The memory does not hold a single candidate.
        """
        ...
