"""The training loop: a population trains until every candidate of it has stopped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from autoloss.training.candidate import Candidate, Outcome
from autoloss.training.job import Job
from autoloss.training.pool import Pool


@dataclass(frozen=True)
class EpochReport:
    """Where a population stands after an epoch.

    Args:
        epoch: Epochs done.
        max_epochs: Epochs at most.
        candidates: Candidates that began.
        alive: Candidates that go on.
        best_log_loss: Lowest refined log loss so far, in nats.
    """

    epoch: int
    max_epochs: int
    candidates: int
    alive: int
    best_log_loss: float


def train(
    job: Job | Sequence[Job],
    candidates: Sequence[Candidate],
    *,
    on_epoch: Callable[[EpochReport], None] | None = None,
    deadline: float | None = None,
) -> list[Outcome]:
    """Train candidates together; what becomes of one does not depend on the others.

    Args:
        job: The study's network and rows, already on the device; where candidates are trained on
            several divisions of the rows, one for each, with weights of the same shapes.
        candidates: The candidates.
        on_epoch: Called after every epoch.
        deadline: When to stop, on `time.monotonic`'s clock; candidates that it cuts off keep their
            best weights so far and end as ``"stopped"``.

    Returns:
        One outcome a candidate, in their order.
    """
    jobs = [job] if isinstance(job, Job) else list(job)
    pool = Pool(jobs, deadline=deadline)
    numbers = pool.join(candidates)
    while pool.alive:
        pool.epoch()
        if on_epoch is not None:
            total = jobs[0].config.max_epochs
            report = EpochReport(pool.epochs, total, len(numbers), len(pool.alive), pool.best)
            on_epoch(report)
    return [pool.take(number) for number in numbers]
