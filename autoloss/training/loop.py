"""The training loop: a population trains until every candidate of it has stopped."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from autoloss.records import CurvePoint
from autoloss.training.candidate import Candidate, Outcome
from autoloss.training.job import Job
from autoloss.training.pool import Pool


@dataclass(frozen=True)
class EpochReport:
    """The progress of a population after an epoch.

    Args:
        epoch: Epochs done.
        max_epochs: The most epochs.
        candidates: Number of candidates at the start.
        alive: Number of candidates that continue.
        best_log_loss: Lowest refined log loss so far, in nats.
        points: The best epoch so far of every candidate, in order; None for a candidate that
            diverged.
    """

    epoch: int
    max_epochs: int
    candidates: int
    alive: int
    best_log_loss: float
    points: tuple[CurvePoint | None, ...] = ()


Spare = Callable[[EpochReport, Sequence[int]], Collection[int]]
"""Called with the progress of a population and the places of the candidates in training; returns
the places of the candidates that stop."""


def train(
    job: Job | Sequence[Job],
    candidates: Sequence[Candidate],
    *,
    on_epoch: Callable[[EpochReport], None] | None = None,
    deadline: float | None = None,
    spare: Spare | None = None,
) -> list[Outcome]:
    """Train candidates together; the result of a candidate does not depend on the others.

    Args:
        job: The study's network and rows, on the device; or a job for each division of the rows,
            with weights of the same shapes.
        candidates: The candidates.
        on_epoch: Called after every epoch.
        deadline: When to stop, on `time.monotonic`'s clock; candidates that it cuts off keep their
            best weights so far and end as ``"stopped"``.
        spare: Names after every epoch the candidates that stop, as if the deadline had cut them
            off.

    Returns:
        An outcome for each candidate, in order.
    """
    jobs = [job] if isinstance(job, Job) else list(job)
    pool = Pool(jobs, deadline=deadline)
    numbers = pool.join(candidates)
    while pool.alive:
        pool.epoch()
        report = _report(pool, numbers, longest_schedule(jobs, candidates))
        if spare is not None and pool.alive:
            pool.drop([numbers[place] for place in spare(report, _places(numbers, pool.alive))])
        if on_epoch is not None:
            on_epoch(replace(report, alive=len(pool.alive)))
    return [pool.take(number) for number in numbers]


def longest_schedule(jobs: Sequence[Job], candidates: Sequence[Candidate]) -> int:
    """Return the epochs of the longest schedule of some candidates."""
    return max(candidate.scheduled(jobs[0].config.max_epochs) for candidate in candidates)


def _report(pool: Pool, numbers: Sequence[int], max_epochs: int) -> EpochReport:
    """Return the progress of a pool after an epoch."""
    points = tuple(pool.best_point(number) for number in numbers)
    return EpochReport(pool.epochs, max_epochs, len(numbers), len(pool.alive), pool.best, points)


def _places(numbers: Sequence[int], alive: Sequence[int]) -> list[int]:
    """Return the places of the candidates that train."""
    trains = set(alive)
    return [place for place, number in enumerate(numbers) if number in trains]
