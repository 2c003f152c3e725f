"""The number of candidates to train together, from the free memory and timed steps."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch

from autoloss.core.devices import now
from autoloss.losses import LossSpec
from autoloss.training.batch import Orders
from autoloss.training.candidate import Candidate
from autoloss.training.job import Job
from autoloss.training.memory import (
    empty_device_cache,
    free_memory,
    if_it_fits,
    keep_freed_memory,
)
from autoloss.training.pool import facts_for, orders_of, step_batch
from autoloss.training.population import Population

SMALLEST, USUAL, LARGEST = 8, 32, 1024
"""The number of candidates that is timed first, the number without timing, and the largest."""
FULL_BATCH = 256
"""Rows of a mini-batch that `USUAL` is meant for; smaller mini-batches allow more candidates."""
TINY_ROWS = 4096
"""Training rows up to which nothing is timed, because the timing would cost its own savings."""
TIMED_STEPS, LEAST_STEPS = 10, 2
GAIN, NEAR = 1.1, 0.95
"""The least gain in rate of twice the candidates for a larger number to be timed; the share of the
best rate that is enough to choose fewer candidates."""
SECONDS = 1.5
"""Seconds for the timing; another number is timed only if it should fit."""
SIZES_TO_TRUST = 3
"""Numbers that must be timed to tell a fast number from a quiet moment of the machine."""
MEMORY_SHARE = 0.5
"""Share of the free memory that a population may take; a full host gives no warning."""


@dataclass(frozen=True)
class Together:
    """The number of candidates to train together, with the reason.

    Args:
        candidates: K.
        rates: Steps of a candidate per second, for every number that was timed.
        held: The largest number of candidates that the memory holds.
        reason: A clause.
    """

    candidates: int
    rates: dict[int, float]
    held: int
    reason: str

    @property
    def text(self) -> str:
        """Return the choice and the reason as a sentence."""
        rates = ", ".join(f"{k}: {rate:,.0f}" for k, rate in self.rates.items())
        timed = f" (candidate steps a second of {rates})" if rates else ""
        noun = "candidate trains" if self.candidates == 1 else "candidates train together"
        return f"{self.candidates} {noun}: {self.reason}{timed}."


def choose_together(
    jobs: Sequence[Job],
    asked: int = 0,
    *,
    at_most: int = LARGEST,
    free_bytes: int | None = None,
    workers: int = 1,
) -> Together:
    """Return the number of candidates to train together for nearly the most candidates a second.

    Several workers train as many as each of them would choose alone.

    The number is doubled from 8 until twice the candidates are less than a tenth faster for each
    candidate. A candidate's result does not depend on its neighbours, so this number decides the
    time alone as long as the trials that are asked at once do not depend on it.

    Args:
        jobs: The divisions of the study's rows, on the device.
        asked: The number that the space asks for; 0 to choose.
        at_most: The largest number of candidates that train at once.
        free_bytes: Free memory; by default that of the device.
        workers: Processes that share the memory and the candidates.
    """
    if workers > 1 and not asked:
        free = free_memory(jobs[0].device) if free_bytes is None else free_bytes
        each = choose_together(jobs, at_most=-(-at_most // workers), free_bytes=free // workers)
        reason = f"{each.candidates} in each of {workers} workers, {each.reason}"
        return Together(each.candidates * workers, each.rates, each.held * workers, reason)
    free = free_memory(jobs[0].device) if free_bytes is None else free_bytes
    held = max(1, int(MEMORY_SHARE * free) // bytes_each(jobs))
    if asked:
        return Together(asked, {}, held, "the space asks for them")
    limit = max(1, min(held, at_most, LARGEST))
    usual = usual_together(jobs)
    if limit <= SMALLEST or min(len(job.train) for job in jobs) <= TINY_ROWS:
        chosen = min(usual, limit)
        return Together(chosen, {}, held, _why(chosen, held, "rows are few"))
    rates = _timed(jobs, limit)
    if len(rates) < SIZES_TO_TRUST and limit not in rates:
        chosen = min(usual, limit)
        return Together(chosen, rates, held, _why(chosen, held, "steps are too long to try more"))
    best = max(rates.values())
    chosen = min(k for k, rate in rates.items() if rate >= NEAR * best)
    return Together(chosen, rates, held, _why(chosen, held, "the fastest of those timed"))


def usual_together(jobs: Sequence[Job]) -> int:
    """Return the number of candidates to train together without timing.

    It is larger for smaller mini-batches.
    """
    config = jobs[0].config
    return USUAL * max(1, FULL_BATCH // min(job.train.batch_examples(config) for job in jobs))


def bytes_each(jobs: Sequence[Job]) -> int:
    """Return the most memory that a candidate takes, in bytes, from the shapes alone.

    It holds the weights with gradients, moments, update and best copy; the activations of a step
    with their gradients; and the logits of the validation rows with the buffers that score them.
    """
    job = jobs[0]
    network = job.network
    weights = 8 * network.layout.size
    examples = max(one.train.batch_examples(job.config) for one in jobs)
    activations = max(examples, job.config.batch_size) * network.activations
    scores = 12 * max(one.valid.shape[-1] for one in jobs) * job.classes.row_scores
    element = torch.empty((), dtype=job.dtype).element_size()
    return element * (weights + activations + scores)


def _timed(jobs: Sequence[Job], limit: int) -> dict[int, float]:
    """Return the steps of a candidate per second by K, until a larger K is no faster."""
    if jobs[0].device.type == "cpu":
        keep_freed_memory()
    ends = time.perf_counter() + SECONDS
    rates: dict[int, float] = {}
    best = 0.0
    for k in _sizes(limit):
        left = ends - time.perf_counter()
        # At the rate so far; the first step takes twice as long.
        if rates and (LEAST_STEPS + 2) * k / best > left:
            break
        step = if_it_fits(partial(step_seconds, jobs, k, seconds=left / 2))
        if step is None:
            empty_device_cache()
            break
        rates[k] = k / step
        if rates[k] < GAIN * best:
            break
        best = max(best, rates[k])
    return rates


def _sizes(limit: int) -> list[int]:
    """Return 8, 16, 32, ... and the limit."""
    doubled = itertools.takewhile(lambda k: k < limit, (SMALLEST << i for i in itertools.count()))
    return [*doubled, limit]


def step_seconds(
    jobs: Sequence[Job], n_candidates: int, steps: int = TIMED_STEPS, *, seconds: float = math.inf
) -> float:
    """Return the seconds of a step of K candidates, whose weights are discarded.

    It is the shortest of several steps, because other work of the machine only makes steps longer.

    Args:
        jobs: The divisions of the rows, on the device; candidates are spread over them.
        n_candidates: K.
        steps: The most steps to time.
        seconds: Time after which no further step begins, except the first two.
    """
    ends = time.perf_counter() + seconds
    device = jobs[0].device
    population, orders = passing_population(jobs, n_candidates)
    found: list[float] = []
    for rows in itertools.islice(itertools.cycle(orders.epoch()), steps + 1):
        started = now(device)
        population.step(step_batch(jobs, orders, rows), orders, 1.0)
        found.append(now(device) - started)
        if len(found) > LEAST_STEPS and time.perf_counter() > ends:
            break
    # The first step fills the caches and the allocator.
    return min(found[1:])


def passing_population(jobs: Sequence[Job], n_candidates: int) -> tuple[Population, Orders]:
    """Return candidates to time steps with, and the orders of their mini-batches.

    Args:
        jobs: The divisions of the rows, on the device; candidates are spread over them.
        n_candidates: K.
    """
    job = jobs[0]
    folds = sorted(k % len(jobs) for k in range(n_candidates))
    candidates = [Candidate(LossSpec(), lr=1e-3, dropout=0.1, fold=fold) for fold in folds]
    population = Population(
        [one.network for one in jobs],
        candidates,
        facts_for(jobs, candidates),
        device=job.device,
        dtype=job.dtype,
        products=job.products,
        clip=job.config.clip,
    )
    return population, orders_of(jobs, [0] * n_candidates, folds)


def _why(chosen: int, held: int, otherwise: str) -> str:
    return "the memory holds no more" if chosen == held else otherwise
