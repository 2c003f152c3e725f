"""The forecast of the time that a search still takes, learnt from its epochs so far."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from autoloss.experiment.time_plan import USED

if TYPE_CHECKING:
    from autoloss.training import EpochReport
    from autoloss.training.estimate import EpochCosts

Stage = Literal["search", "final", "outer"]
FADING = 0.9
"""Weight of the epoch before relative to the last epoch."""
PRIOR_EPOCHS = 1.0
"""Weight of the timing before the search, in epochs."""
PRIOR_TRAININGS = 4.0
"""Weight of the expected share of the epochs, in training runs."""
STAYING = 0.9
"""Share of the epochs ahead that the candidates of a running population are expected to use."""


@dataclass
class _Part:
    """The rest of a stage: the number of training runs that have not begun, and their length.

    Args:
        trainings: Their number.
        size: Length of an epoch.
        share: Expected epochs as a share of the epochs of as many complete training runs.
    """

    trainings: float
    size: float = 1.0
    share: float = 1.0


@dataclass
class Forecast:
    """The seconds that are left of a search.

    Args:
        costs: The seconds of an epoch, as timed before the search.
        epochs: Epochs of the schedule.
        together: Candidates of a population.
        used: Expected share of the epochs that candidates use before they stop.
        after: Seconds that follow the last training run.
        per_training: Seconds of a training run of the search besides its epochs.
    """

    costs: EpochCosts
    epochs: int
    together: int
    used: float = USED
    after: float = 0.0
    per_training: float = 0.0
    _parts: dict[Stage, _Part] = field(default_factory=dict)
    _stage: Stage = "search"
    _alive: int = 0
    _epochs_ahead: float = 0.0
    _expected: float = 0.0
    _seen: float = 0.0
    _ended: float = 0.0
    _done: float = 0.0
    _told_trainings: float = 0.0
    _told_seconds: float = 0.0

    def plan(
        self, stage: Stage, trainings: float, *, size: float = 1.0, share: float = 1.0
    ) -> None:
        """Set the number of training runs that a stage has yet to begin; see `_Part`."""
        self._parts[stage] = _Part(trainings, size, share)

    def enter(self, stage: Stage) -> None:
        """Begin a stage, and drop the rest of the stages before it."""
        order: tuple[Stage, ...] = ("search", "final", "outer")
        for before in order[: order.index(stage)]:
            self._parts.pop(before, None)
        self._stage, self._alive = stage, 0

    def saw(self, report: EpochReport, seconds: float) -> None:
        """Learn from an epoch of a population.

        Args:
            report: The progress of the population after it.
            seconds: The seconds of the epoch.
        """
        if report.epoch == 1:
            part = self._parts.setdefault(self._stage, _Part(0.0))
            part.trainings = max(0.0, part.trainings - report.candidates)
            self._alive = report.candidates
        expected = self._running.size * self.costs.epoch(self._alive)
        self._expected = FADING * self._expected + expected
        self._seen = FADING * self._seen + seconds
        self._alive = report.alive
        self._epochs_ahead = report.alive and report.max_epochs - report.epoch

    def told(self, trainings: float, seconds: float) -> None:
        """Learn from the seconds of training runs outside their epochs."""
        self._told_trainings += trainings
        self._told_seconds += seconds
        self.per_training = self._told_seconds / max(self._told_trainings, 1.0)

    def ended(self, epochs: Iterable[int]) -> None:
        """Learn from the epochs of training runs that reached their end."""
        for done in epochs:
            self._done += done
            self._ended += self.epochs

    @property
    def is_searching(self) -> bool:
        """Return whether trials are still trained for the first time."""
        return self._stage == "search"

    @property
    def pace(self) -> float:
        """Return the duration of epochs relative to the timing before the search."""
        prior = PRIOR_EPOCHS * self.costs.epoch(self.together)
        return (self._seen + prior) / (self._expected + prior)

    @property
    def share_used(self) -> float:
        """Return the share of their epochs that candidates use, as seen so far."""
        prior = PRIOR_TRAININGS * self.epochs
        return (self._done + self.used * prior) / (self._ended + prior)

    @property
    def left(self) -> float:
        """Return the seconds that are left of all stages."""
        parts = sum(self._part_seconds(part) for part in self._parts.values())
        searching = self._parts.get("search", _Part(0.0))
        told = self.per_training * searching.trainings
        return self.pace * (parts + self._running_seconds) + told + self.after

    def _part_seconds(self, part: _Part) -> float:
        populations = math.ceil(part.trainings / self.together)
        candidates = part.trainings * part.share * self.share_used
        return (
            self.epochs
            * part.size
            * (populations * self.costs.once + candidates * self.costs.each)
        )

    @property
    def _running_seconds(self) -> float:
        part = self._running
        staying = min(STAYING, part.share) * self._alive
        return part.size * self._epochs_ahead * self.costs.epoch(staying)

    @property
    def _running(self) -> _Part:
        return self._parts.get(self._stage, _Part(0.0))
