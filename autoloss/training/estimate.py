"""An estimate of the time of an epoch on this machine, from a few real steps."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median

from autoloss.core.devices import now
from autoloss.training.batch import batch_size_for
from autoloss.training.divisions import Divisions
from autoloss.training.job import Job
from autoloss.training.memory import empty_device_cache, half, if_it_fits
from autoloss.training.pool import score_epoch, step_batch
from autoloss.training.together import passing_population

STEPS = 5
SECONDS = 1.0
"""Seconds for the timing, not counting the first step of each size and one more step."""


@dataclass(frozen=True)
class EpochCosts:
    """Seconds of an epoch of a population on the divisions of the search.

    Args:
        once: Seconds that do not depend on the number of candidates.
        each: Seconds per candidate.
    """

    once: float
    each: float

    def epoch(self, candidates: float) -> float:
        """Return the seconds of an epoch of the given number of candidates."""
        return self.once + self.each * candidates


def measure_costs(
    jobs: Sequence[Job], *, together: int, seconds: float = SECONDS, workers: int = 1
) -> EpochCosts:
    """Time epochs of one trial and of a whole population.

    Args:
        jobs: The divisions on which trials are compared.
        together: Candidates of a population.
        seconds: Time limit of the timing.
        workers: Processes that share the population.

    Raises:
        TrainingError: The memory holds no candidate. A population that it does not hold is timed
            in part.
    """
    if workers > 1:
        one = measure_costs(jobs, together=-(-together // workers), seconds=seconds)
        return EpochCosts(one.once, one.each / workers)
    few, many = len(jobs), max(together, 1)
    few, small = _fitting(jobs, min(few, many), seconds / 2)
    if few < min(len(jobs), many) or many <= few:
        return EpochCosts(0.0, small / few)
    many, large = _fitting(jobs, many, seconds / 2)
    if many <= few:
        return EpochCosts(0.0, small / few)
    each = (large - small) / (many - few)
    if each <= 0.0:
        return EpochCosts(0.0, large / many)
    return EpochCosts(max(0.0, small - each * few), each)


def _fitting(jobs: Sequence[Job], candidates: int, seconds: float) -> tuple[int, float]:
    """Return the number of candidates that the memory holds, and the seconds of their epoch.

    Raises:
        TrainingError: It holds no candidate.
    """
    while True:
        run = partial(_epoch_seconds, jobs, candidates, seconds)
        found = if_it_fits(run, is_smallest=candidates == 1)
        if found is not None:
            return candidates, found
        empty_device_cache()
        candidates = half(candidates)


def epoch_share(n_rows: int, divisions: Divisions) -> float:
    """Return the time of an epoch of `n_rows` training rows, as a share of the search's epoch."""
    jobs = divisions.jobs
    rows = sum(len(job.train) for job in jobs) / len(jobs)
    config = jobs[0].config
    sizes = [
        batch_size_for(int(n), config.batch_size, least=config.smallest_batch)
        for n in (n_rows, rows)
    ]
    steps = [max(1.0, n / size) for n, size in zip((n_rows, rows), sizes, strict=True)]
    # Small batches cost time per step, large batches per row.
    share = n_rows / rows
    return max(share, (share + steps[0] / steps[1]) / 2.0)


def _epoch_seconds(jobs: Sequence[Job], candidates: int, seconds: float) -> float:
    """Return the seconds of an epoch, from a few steps and one scoring."""
    device = jobs[0].device
    population, orders = passing_population(jobs, candidates)
    found: list[float] = []
    began = now(device)
    for rows in itertools.islice(itertools.cycle(orders.epoch()), STEPS + 1):
        started = now(device)
        population.step(step_batch(jobs, orders, rows), orders, 1.0)
        found.append(now(device) - started)
        if len(found) > 1 and now(device) - began > seconds:
            break
    # The first step and the first scoring fill the caches and the allocator.
    score_epoch(population, jobs)
    scoring = now(device)
    score_epoch(population, jobs)
    scored = now(device)
    return orders.steps * median(found[1:]) + (scored - scoring)
