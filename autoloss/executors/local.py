"""Training in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from autoloss.executors.work import Report, Work
from autoloss.training import EpochReport, Spare, in_halves, train


class LocalExecutor:
    """Trains populations in this process, and smaller populations if memory is short.

    Args:
        together: Candidates to train together.
        on_epoch: Called after every epoch of a population.
        on_halved: Called with the new number of candidates trained together.
    """

    def __init__(
        self,
        *,
        together: int,
        on_epoch: Callable[[EpochReport], None] | None = None,
        on_halved: Callable[[int], None] | None = None,
    ) -> None:
        self.together = together
        self._on_epoch = on_epoch
        self._on_halved = on_halved

    def submit(self, work: Work, *, spare: Spare | None = None) -> Iterator[Report]:
        """Train candidates, at most `together` at a time; see `Executor.submit`."""
        deadline, first = work.deadline, 0
        while first < len(work.candidates):
            size = len(work.candidates) if work.at_once else self.together
            outcomes = in_halves(
                lambda part: train(
                    work.jobs, part, on_epoch=self._on_epoch, deadline=deadline, spare=spare
                ),
                work.candidates[first : first + size],
                on_halved=self._halve,
            )
            for place, outcome in enumerate(outcomes, first):
                if not work.needs_weights:
                    outcome = replace(outcome, weights=outcome.weights.new_empty(0))
                yield Report(place, outcome)
            first += len(outcomes)

    def _halve(self, together: int) -> None:
        self.together = together
        if self._on_halved is not None:
            self._on_halved(together)
