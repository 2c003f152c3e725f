"""Training in several worker processes, of this machine or of a cluster."""

from __future__ import annotations

import itertools
import weakref
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from time import monotonic

from torch import Tensor

from autoloss.core.errors import TrainingError
from autoloss.executors.crew import Crew, UnsendableError
from autoloss.executors.kept import KeptOutcome
from autoloss.executors.local import LocalExecutor
from autoloss.executors.messages import (
    Done,
    Ended,
    EpochEnded,
    Failed,
    Fetch,
    Fetched,
    Forget,
    Halved,
    Leave,
    Share,
)
from autoloss.executors.work import Report, Work
from autoloss.training import Candidate, EpochReport, Job, Outcome, Spare


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
        self._unneeded: list[tuple[int, str]] = []

    def submit(self, work: Work, *, spare: Spare | None = None) -> Iterator[Report]:
        """Train candidates, at most `together` at a time; see `Executor.submit`."""
        try:
            data = self._crew.data_of(work.jobs)
        except UnsendableError as error:
            yield from self._submit_here(work, spare, why=str(error))
            return
        deadline, first = work.deadline, 0
        while first < len(work.candidates):
            size = len(work.candidates) if work.at_once else self.together
            candidates = work.candidates[first : first + size]
            self._crew.gather()
            parts = parts_of(len(candidates), self._crew.sizes)
            shares = [
                Share(data, candidates[part.start : part.stop], None, work.needs_weights)
                for part in parts
            ]
            wave = _Wave(parts, max_epochs=work.max_epochs)
            self._forget()
            for worker, place, message in self._train(shares, wave, deadline, spare):
                outcome = message.outcome
                if message.key:
                    outcome = self._kept(message, worker, work.jobs, candidates[place])
                yield Report(first + place, outcome)
            first += len(candidates)

    def _train(
        self,
        shares: Sequence[Share],
        wave: _Wave,
        deadline: float | None,
        spare: Spare | None,
    ) -> Iterator[tuple[int, int, Ended]]:
        """Train the shares in the workers; yield worker, place in the wave and end."""
        crew, desk = self._crew, _Desk(self._crew, shares, deadline)
        while wave.running:
            desk.hand_out()
            worker, message = crew.receive()
            if message is None:
                how = crew.replace(worker)
            if isinstance(message, Failed):
                raise message.error
            if (share := desk.held.get(worker)) is None:
                continue
            match message:
                case None:
                    wave.begin(share)
                    desk.take_back(worker, how)
                case Halved(together):
                    self.together = together * len(crew)
                    self._on_halved(self.together)
                case Ended(place):
                    if wave.ends(share, place):
                        yield worker, wave.parts[share][place], message
                case Done():
                    del desk.held[worker]
                    wave.end(share)
                case EpochEnded(report, places):
                    wave.add(share, report, places)
            self._report(wave, desk, spare)

    def _report(self, wave: _Wave, desk: _Desk, spare: Spare | None) -> None:
        """Report the epochs of all candidates that have trained."""
        for report in wave.reports():
            if spare is not None and (alive := wave.alive):
                for share, places in wave.leaving(spare(report, alive)):
                    desk.tell(share, Leave(places))
            self._on_epoch(report)

    def _kept(
        self, ended: Ended, worker: int, jobs: tuple[Job, ...], candidate: Candidate
    ) -> Outcome:
        """Return an outcome whose weights its worker keeps.

        Should the worker die, the candidate trains again, up to where it ended.
        """
        report = ended.outcome.report
        again = replace(candidate, epochs=report.epochs if report.state == "stopped" else None)

        def fetch() -> Tensor:
            if (weights := self._fetch(worker, ended.key)) is None:
                [found] = self.submit(Work(jobs, (again,)))
                weights = found.outcome.weights
            return weights

        outcome = KeptOutcome(ended.outcome, fetch)
        weakref.finalize(outcome, self._unneeded.append, (worker, ended.key))
        return outcome

    def _fetch(self, worker: int, key: str) -> Tensor | None:
        """Return weights that a worker keeps; None if it has died."""
        crew = self._crew
        if worker not in crew.workers:
            return None
        crew.send(worker, Fetch(key))
        while True:
            who, message = crew.receive()
            match message:
                case None:
                    crew.replace(who)
                    if who == worker:
                        return None
                case Failed(error):
                    raise error
                case Fetched(weights):
                    return weights

    def _forget(self) -> None:
        """Tell workers of weights that nobody needs any more."""
        keys: dict[int, list[str]] = {}
        while self._unneeded:
            worker, key = self._unneeded.pop()
            keys.setdefault(worker, []).append(key)
        for worker in self._crew.workers:
            if worker in keys:
                self._crew.send(worker, Forget(tuple(keys[worker])))

    def _submit_here(self, work: Work, spare: Spare | None, *, why: str) -> Iterator[Report]:
        self._on_local(why)
        local = LocalExecutor(
            together=self.together, on_epoch=self._on_epoch, on_halved=self._on_halved
        )
        yield from local.submit(work, spare=spare)
        self.together = local.together


class _Desk:
    """The shares of a wave, and the workers that train them.

    Args:
        crew: The workers.
        shares: The shares.
        deadline: When their training stops, on `time.monotonic`'s clock.

    Attributes:
        held: The number of the share that each worker trains.
    """

    def __init__(self, crew: Crew, shares: Sequence[Share], deadline: float | None) -> None:
        self.held: dict[int, int] = {}
        self._crew, self._shares, self._deadline = crew, shares, deadline
        self._waiting = deque(range(len(shares)))
        self._lives = [crew.lives] * len(shares)

    def hand_out(self) -> None:
        """Give the shares that wait to workers that have none, with the seconds that are left."""
        left = None if self._deadline is None else self._deadline - monotonic()
        for worker in self._crew.workers:
            if not self._waiting:
                return
            if worker not in self.held:
                self.held[worker] = share = self._waiting.popleft()
                self._crew.send(worker, replace(self._shares[share], seconds=left))

    def take_back(self, worker: int, how: str) -> None:
        """Take back the share of a worker that has died.

        Args:
            worker: The worker.
            how: How it has died.

        Raises:
            TrainingError: Workers have died too often with the same candidates.
        """
        share = self.held.pop(worker)
        self._waiting.appendleft(share)
        self._lives[share] -= 1
        if not self._lives[share]:
            raise TrainingError(
                "A worker must live until its candidates have trained, but "
                f"{self._crew.lives} ended with the same candidates, the last by {how}: is the "
                f"memory full? {self._crew.remedy}"
            )

    def tell(self, share: int, message: object) -> None:
        """Send a message to the worker of a share, if there is one."""
        for worker, held in self.held.items():
            if held == share:
                self._crew.send(worker, message)


class _Wave:
    """The candidates that train at one time in all workers, shown as one population.

    Args:
        parts: The places of the candidates of each share.
        max_epochs: The most epochs.

    Attributes:
        running: The shares that have not ended.
    """

    def __init__(self, parts: Sequence[range], *, max_epochs: int) -> None:
        self.parts = parts
        self.running = set(range(len(parts)))
        self._max_epochs = max_epochs
        self._epochs = 0
        self._seen: list[list[EpochReport]] = [[] for _ in parts]
        self._alive: list[set[int]] = [set() for _ in parts]
        self._told: list[set[int]] = [set() for _ in parts]
        self._ended: list[set[int]] = [set() for _ in parts]

    def begin(self, share: int) -> None:
        """Note that a share is trained again from its start."""
        self._seen[share], self._told[share] = [], set()

    def add(self, share: int, report: EpochReport, places: Sequence[int]) -> None:
        """Add an epoch of a share, with the places of its candidates that continue."""
        self._seen[share].append(report)
        # A worker that was told of a candidate may have begun an epoch with it before.
        self._alive[share] = set(places) - self._told[share]

    def ends(self, share: int, place: int) -> bool:
        """Note that a candidate has ended; return whether it does so for the first time."""
        is_first = place not in self._ended[share]
        self._ended[share].add(place)
        return is_first

    def end(self, share: int) -> None:
        """Note that a share has been trained."""
        self.running.discard(share)
        self._alive[share] = set()

    @property
    def alive(self) -> list[int]:
        """Return the places of the candidates in training, as far as they are known."""
        return [
            part[place]
            for part, alive in zip(self.parts, self._alive, strict=True)
            for place in sorted(alive)
        ]

    def leaving(self, places: Collection[int]) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Yield the shares of candidates that are to stop, and their places there."""
        for share, part in enumerate(self.parts):
            own = {place - part.start for place in places if place in part} & self._alive[share]
            if own:
                self._told[share] |= own
                self._alive[share] -= own
                yield share, tuple(own)

    def reports(self) -> Iterator[EpochReport]:
        """Yield the epochs that all shares have trained and that were not yielded before."""
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
        """Return the reports of an epoch, from 0; None while a share has not trained it."""
        if not any(len(seen) > epoch for seen in self._seen):
            return None
        if any(len(self._seen[share]) <= epoch for share in self.running):
            return None
        # A share whose candidates have all stopped stands where it ended.
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


def parts_of(total: int, sizes: Sequence[int]) -> list[range]:
    """Return neighbouring places in parts nearly proportional to sizes, none of them empty.

    Examples:
        >>> parts_of(5, [1, 1])
        [range(0, 3), range(3, 5)]
        >>> parts_of(6, [16, 32])
        [range(0, 2), range(2, 6)]
    """
    whole = sum(sizes)
    ends = [0, *(-(-total * end // whole) for end in itertools.accumulate(sizes))]
    return [range(first, end) for first, end in itertools.pairwise(ends) if first < end]
