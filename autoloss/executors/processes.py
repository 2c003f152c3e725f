"""Training in several worker processes of this machine."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator, Sequence
from time import monotonic

from autoloss.core.errors import TrainingError
from autoloss.executors.crew import Crew, UnsendableError
from autoloss.executors.local import LocalExecutor
from autoloss.executors.messages import Done, Ended, EpochEnded, Failed, Halved, Leave, Share
from autoloss.executors.work import Report, Work
from autoloss.training import EpochReport, Outcome, Spare

_LIVES = 2
"""Processes that may train a share: one that dies is replaced once."""


def _ignored(message: object) -> None:
    """Ignore a message."""


class ProcessExecutor:
    """Trains populations that worker processes share evenly.

    Args:
        crew: The workers.
        together: Candidates to train together, in all workers.
        on_epoch: Called after every epoch of a population.
        on_halved: Called with the new number of candidates trained together.
        on_local: Called with the reason why candidates train in this process, if they do.
    """

    def __init__(
        self,
        crew: Crew,
        *,
        together: int,
        on_epoch: Callable[[EpochReport], None],
        on_halved: Callable[[int], None],
        on_local: Callable[[str], None],
    ) -> None:
        self.together = together
        self._crew = crew
        self._on_epoch = on_epoch
        self._on_halved = on_halved
        self._on_local = on_local

    def submit(self, work: Work, *, spare: Spare | None = None) -> Iterator[Report]:
        """Train candidates, at most `together` at a time; see `Executor.submit`."""
        try:
            data = self._crew.file_of(work.jobs)
        except UnsendableError as error:
            yield from self._submit_here(work, spare, why=str(error))
            return
        deadline, first = work.deadline, 0
        while first < len(work.candidates):
            size = len(work.candidates) if work.at_once else self.together
            candidates = work.candidates[first : first + size]
            parts = even_parts(len(candidates), len(self._crew))
            shares = [
                Share(
                    data,
                    candidates[part.start : part.stop],
                    None if deadline is None else deadline - monotonic(),
                    work.needs_weights,
                )
                for part in parts
            ]
            wave = _Wave(parts, max_epochs=work.jobs[0].config.max_epochs)
            for place, outcome in self._train(shares, wave, spare):
                yield Report(first + place, outcome)
            first += len(candidates)

    def _train(
        self, shares: Sequence[Share], wave: _Wave, spare: Spare | None
    ) -> Iterator[tuple[int, Outcome]]:
        """Train a share in each worker; yield the outcomes by place in the wave."""
        crew = self._crew
        lives = [_LIVES] * len(crew)
        for worker, share in enumerate(shares):
            crew.send(worker, share)
        while wave.running:
            worker, message = crew.receive()
            match message:
                case None:
                    lives[worker] -= 1
                    self._replace(worker, is_last=not lives[worker])
                    if worker in wave.running:
                        wave.begin(worker)
                        crew.send(worker, shares[worker])
                case Failed(error):
                    raise error
                case Halved(together):
                    self.together = together * len(crew)
                    self._on_halved(self.together)
                case Ended(place, outcome):
                    yield wave.parts[worker][place], outcome
                case Done():
                    wave.end(worker)
                case EpochEnded(report, places):
                    wave.add(worker, report, places)
            self._report(wave, spare)

    def _report(self, wave: _Wave, spare: Spare | None) -> None:
        """Report the epochs that all workers have trained."""
        for report in wave.reports():
            if spare is not None and (alive := wave.alive):
                for worker, places in wave.leaving(spare(report, alive)):
                    self._crew.send(worker, Leave(places))
            self._on_epoch(report)

    def _replace(self, worker: int, *, is_last: bool) -> None:
        """Replace a worker that has died.

        Raises:
            TrainingError: It has died again with the same candidates.
        """
        status = self._crew.replace(worker)
        if is_last:
            by = f"signal {-status}" if status < 0 else f"exit status {status}"
            raise TrainingError(
                "A worker process must live until its candidates have trained, but two ended by "
                f"{by}: is the memory full? With --workers 1 there is one process."
            )

    def _submit_here(self, work: Work, spare: Spare | None, *, why: str) -> Iterator[Report]:
        self._on_local(why)
        local = LocalExecutor(
            together=self.together, on_epoch=self._on_epoch, on_halved=self._on_halved
        )
        yield from local.submit(work, spare=spare)
        self.together = local.together


class _Wave:
    """The candidates that train at one time in all workers, shown as one population.

    Args:
        parts: The places of the candidates of each worker.
        max_epochs: Epochs at most.

    Attributes:
        running: The workers that train.
    """

    def __init__(self, parts: Sequence[range], *, max_epochs: int) -> None:
        self.parts = parts
        self.running = set(range(len(parts)))
        self._max_epochs = max_epochs
        self._epochs = 0
        self._seen: list[list[EpochReport]] = [[] for _ in parts]
        self._alive: list[set[int]] = [set() for _ in parts]
        self._told: list[set[int]] = [set() for _ in parts]

    def begin(self, worker: int) -> None:
        """Note that a worker begins with its candidates again."""
        self._seen[worker], self._told[worker] = [], set()

    def add(self, worker: int, report: EpochReport, places: Sequence[int]) -> None:
        """Add an epoch of a worker, with the places of its candidates that continue."""
        self._seen[worker].append(report)
        # A worker that was told of a candidate may have begun an epoch with it before.
        self._alive[worker] = set(places) - self._told[worker]

    def end(self, worker: int) -> None:
        """Note that a worker has trained its candidates."""
        self.running.discard(worker)
        self._alive[worker] = set()

    @property
    def alive(self) -> list[int]:
        """Return the places of the candidates in training, as far as they are known."""
        return [
            part[place]
            for part, alive in zip(self.parts, self._alive, strict=True)
            for place in sorted(alive)
        ]

    def leaving(self, places: Collection[int]) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Yield the workers of candidates that are to stop, and their places there."""
        for worker, part in enumerate(self.parts):
            own = {place - part.start for place in places if place in part} & self._alive[worker]
            if own:
                self._told[worker] |= own
                self._alive[worker] -= own
                yield worker, tuple(own)

    def reports(self) -> Iterator[EpochReport]:
        """Yield the epochs that all workers have trained and that were not yielded before."""
        while (at := self._at(self._epochs)) is not None:
            self._epochs += 1
            yield EpochReport(
                min(self._epochs, self._max_epochs),
                self._max_epochs,
                sum(map(len, self.parts)),
                sum(report.alive for report in at),
                min(report.best_log_loss for report in at),
                tuple(point for report in at for point in report.points),
            )

    def _at(self, epoch: int) -> list[EpochReport] | None:
        """Return the reports of an epoch, from 0; None while a worker has not trained it."""
        if not any(len(seen) > epoch for seen in self._seen):
            return None
        if any(len(self._seen[worker]) <= epoch for worker in self.running):
            return None
        # A worker whose candidates have all stopped stands where it ended.
        return [seen[min(epoch, len(seen) - 1)] for seen in self._seen if seen]


def executor_of(
    crew: Crew | None,
    *,
    together: int,
    on_epoch: Callable[[EpochReport], None] = _ignored,
    on_halved: Callable[[int], None] = _ignored,
    on_local: Callable[[str], None] = _ignored,
) -> LocalExecutor | ProcessExecutor:
    """Return an executor that trains in the workers, or in this process if there are none.

    Args:
        crew: The workers; None or an empty one if this process trains.
        together: As in `ProcessExecutor`.
        on_epoch: As in `ProcessExecutor`.
        on_halved: As in `ProcessExecutor`.
        on_local: As in `ProcessExecutor`.
    """
    if crew is None or not len(crew):
        return LocalExecutor(together=together, on_epoch=on_epoch, on_halved=on_halved)
    return ProcessExecutor(
        crew, together=together, on_epoch=on_epoch, on_halved=on_halved, on_local=on_local
    )


def even_parts(total: int, count: int) -> list[range]:
    """Return neighbouring places in parts of nearly equal sizes, none of them empty.

    Examples:
        >>> even_parts(5, 2)
        [range(0, 3), range(3, 5)]
    """
    count = min(count, total)
    ends = [-(-total * part // count) for part in range(count + 1)]
    return [range(first, end) for first, end in itertools.pairwise(ends)]
