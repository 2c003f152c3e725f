"""Training in this process."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from autoloss.training import Candidate, EpochReport, Job, Outcome, Spare, in_halves, train


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

    def train(
        self,
        jobs: Sequence[Job],
        candidates: Sequence[Candidate],
        *,
        deadline: float | None = None,
        at_once: bool = False,
        spare: Spare | None = None,
    ) -> list[Outcome]:
        """Train candidates, at most `together` at a time, and return their outcomes in order.

        Args:
            jobs: The divisions of the study's rows, on the device.
            candidates: The candidates.
            deadline: When to stop, on `time.monotonic`'s clock.
            at_once: Whether all candidates form one population, if the memory holds it.
            spare: Names after every epoch of a population the candidates that stop.

        Raises:
            TrainingError: The memory does not hold a single candidate.
        """
        outcomes: list[Outcome] = []
        while len(outcomes) < len(candidates):
            size = len(candidates) if at_once else self.together
            population = candidates[len(outcomes) : len(outcomes) + size]
            outcomes += in_halves(
                lambda part: train(
                    jobs, part, on_epoch=self._on_epoch, deadline=deadline, spare=spare
                ),
                population,
                on_halved=self._halve,
            )
        return outcomes

    def _halve(self, together: int) -> None:
        self.together = together
        if self._on_halved is not None:
            self._on_halved(together)
