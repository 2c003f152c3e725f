"""A pool of candidates that train together, join and leave between epochs."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from autoloss.core.devices import scored_together
from autoloss.losses import ClassFacts, Objective
from autoloss.readout import refined_log_loss
from autoloss.records import CurvePoint, TrainingReport
from autoloss.training.batch import Batch, Orders
from autoloss.training.candidate import Candidate, Outcome
from autoloss.training.job import Job
from autoloss.training.memory import keep_freed_memory
from autoloss.training.optimiser import lr_factor
from autoloss.training.population import Population
from autoloss.training.rows import logits_of

_SOURCES = 3
"""Numbers in the state that a fit of a read-out passes on to the next fit."""


@dataclass
class _Progress:
    """The state of a candidate during training."""

    candidate: Candidate
    start: int
    weights: Tensor
    logits: Tensor
    readout_state: Tensor | None = None
    curve: list[CurvePoint] = field(default_factory=list)
    best: float = float("inf")
    best_epoch: int = 0
    seconds: float = 0.0
    diverged: bool = False
    cut: bool = False

    def outcome(self) -> Outcome:
        report = TrainingReport(
            state="diverged" if self.diverged else "stopped" if self.cut else "complete",
            curve=tuple(self.curve),
            seconds=self.seconds,
            epochs=len(self.curve) + self.diverged,
        )
        return Outcome(report, self.logits, self.weights)


class Pool:
    """A population whose candidates join and leave without influence on each other.

    Whenever a candidate joins, its schedule, order of rows and random draws follow its own
    steps.

    Args:
        jobs: The study's network and rows on each division, on the device.
        deadline: When to stop, on `time.monotonic`'s clock; candidates that it cuts off keep their
            best weights so far and end as ``"stopped"``.
    """

    def __init__(self, jobs: Sequence[Job], *, deadline: float | None = None) -> None:
        self.jobs = list(jobs)
        self.config, self.device = jobs[0].config, jobs[0].device
        self.deadline = deadline
        self.epochs = 0
        self.alive: list[int] = []
        self._seen: dict[int, _Progress] = {}
        self._joined = 0
        self._population: Population | None = None
        self._orders: Orders | None = None
        if self.device.type == "cpu":
            keep_freed_memory()

    def join(self, candidates: Sequence[Candidate]) -> list[int]:
        """Let candidates begin with the next epoch; return their numbers in the pool."""
        new = Population(
            [job.network for job in self.jobs],
            candidates,
            facts_for(self.jobs, candidates),
            device=self.device,
            dtype=self.jobs[0].dtype,
            products=self.jobs[0].products,
            start=self.epochs,
            clip=self.config.clip,
        )
        numbers = list(range(self._joined, self._joined + len(candidates)))
        for number, candidate, weights in zip(numbers, candidates, new.rows, strict=True):
            self._seen[number] = _Progress(candidate, self.epochs, weights, torch.empty(0))
        if self._population is None or not self.alive:
            self._population = new
        else:
            self._population.join(new)
        self._joined += len(candidates)
        self.alive = self.alive + numbers
        self._changed()
        return numbers

    def epoch(self) -> list[int]:
        """Train all candidates for an epoch; return the candidates that ended.

        A candidate ends if it diverges, at the end of its epochs or its patience, or if the time
        is up.
        """
        population, orders = self._population, self._orders
        assert population is not None
        assert orders is not None
        started = time.perf_counter()
        is_whole = self._train(population, orders)
        self.epochs += 1
        for cohort in self._cohorts:
            seen = [self._seen[self.alive[i]] for i in cohort.rows]
            _score(population, cohort, self.jobs, seen, self.epochs)
        late = self.deadline is not None and time.monotonic() > self.deadline
        ended = []
        for number in self.alive:
            one = self._seen[number]
            one.seconds += (time.perf_counter() - started) / len(self.alive)
            goes_on = self._goes_on(one)
            one.cut = late and not one.diverged and (goes_on or not is_whole)
            if late or not goes_on:
                ended.append(number)
        self._keep_all_but(ended)
        return ended

    def drop(self, numbers: Collection[int]) -> None:
        """Remove candidates, which end as ``"stopped"``."""
        for number in set(numbers) & set(self.alive):
            self._seen[number].cut = True
        self._keep_all_but(numbers)

    def take(self, number: int) -> Outcome:
        """Return the outcome of a candidate that has ended, and remove it."""
        return self._seen.pop(number).outcome()

    def best_point(self, number: int) -> CurvePoint | None:
        """Return the point of a candidate's best epoch so far; None if it diverged."""
        one = self._seen[number]
        return one.curve[one.best_epoch - 1] if one.best_epoch and not one.diverged else None

    @property
    def best(self) -> float:
        """Return the lowest refined log loss so far of the candidates in the pool, in nats."""
        return min((one.best for one in self._seen.values()), default=float("inf"))

    def _keep_all_but(self, numbers: Collection[int]) -> None:
        gone = set(numbers)
        kept = [i for i, number in enumerate(self.alive) if number not in gone]
        if len(kept) == len(self.alive):
            return
        self.alive = [self.alive[i] for i in kept]
        if kept:
            assert self._population is not None
            self._population.keep(kept)
            self._changed()

    def _changed(self) -> None:
        """Follow the orders of the candidates in training alone."""
        population = self._population
        assert population is not None
        self._cohorts = cohorts_of(population)
        if self._orders is None:
            self._orders = orders_of(self.jobs)
        self._orders.follow(population.orders)

    def _train(self, population: Population, orders: Orders) -> bool:
        """Take the steps of an epoch until the deadline; return whether it is complete."""
        config, every = self.config, range(orders.steps)
        # The first step of the epoch, and the steps of the schedule.
        places = [
            ((self.epochs - one.start) * orders.steps, self._epochs_of(one) * orders.steps)
            for one in map(self._seen.__getitem__, self.alive)
        ]
        progress = {
            (first, total): [(first + i) / total for i in every] for first, total in places
        }
        factors = {
            (first, total): [
                lr_factor(first + i, total, warmup=config.warmup, decay=config.decay)
                for i in every
            ]
            for first, total in progress
        }
        # Candidates of one age and schedule share a number.
        own_factors, own_progress = (
            torch.tensor(
                [[values[place][i] for place in places] for i in every],
                dtype=torch.float64,
                device=self.device,
            )
            if len(progress) > 1
            else None
            for values in (factors, progress)
        )
        epoch = orders.epoch()
        begin_epoch(self.jobs, orders, epoch)
        for i, rows in enumerate(epoch):
            batch = step_batch(self.jobs, orders, rows)
            if own_factors is None or own_progress is None:
                factor, share = factors[places[0]][i], progress[places[0]][i]
                population.step(batch, orders, factor, progress=share)
            else:
                population.step(batch, orders, own_factors[i], progress=own_progress[i])
            if self.deadline is not None and time.monotonic() > self.deadline:
                return i + 1 == orders.steps
        return True

    def _goes_on(self, one: _Progress) -> bool:
        """Return whether a candidate continues: finite, and improved in its last epochs."""
        age = self.epochs - one.start
        if one.diverged or age in (one.candidate.epochs, self._epochs_of(one)):
            return False
        return age - one.best_epoch < self.config.patience

    def _epochs_of(self, one: _Progress) -> int:
        return one.candidate.scheduled(self.config.max_epochs)


def facts_for(jobs: Sequence[Job], candidates: Sequence[Candidate]) -> ClassFacts:
    """Return the facts on the classes for losses, for the division of each candidate."""
    facts = jobs[0].classes
    if len(jobs) == 1:
        return facts
    own = [jobs[candidate.fold].classes for candidate in candidates]
    counts = torch.stack([one.counts for one in own])
    if facts.sampling is None:
        return replace(facts, counts=counts)
    sampling = [one.sampling for one in own if one.sampling is not None]
    return replace(facts, counts=counts, sampling=torch.stack(sampling))


def orders_of(jobs: Sequence[Job], seeds: Sequence[int] = (), folds: Sequence[int] = ()) -> Orders:
    """Return the orders of the training rows of some divisions.

    Args:
        jobs: The divisions.
        seeds: The seed of each candidate.
        folds: The division of each candidate.
    """
    config = jobs[0].config
    lengths = [job.train.by_length for job in jobs]
    return Orders(
        seeds,
        [len(job.train) for job in jobs],
        min(job.train.batch_rows(config) for job in jobs),
        device=jobs[0].device,
        folds=folds,
        by_length=[one for one in lengths if one is not None] or None,
        alike=jobs[0].train.alike,
    )


@dataclass(frozen=True)
class Cohort:
    """The candidates of a population that train on one division.

    Args:
        fold: Number of the division.
        rows: Rows of the candidates in the population.
        objective: Their losses.
    """

    fold: int
    rows: list[int]
    objective: Objective


def cohorts_of(population: Population) -> list[Cohort]:
    """Return the candidates of each division."""
    by_fold: dict[int, list[int]] = {}
    for i, candidate in enumerate(population.candidates):
        by_fold.setdefault(candidate.fold, []).append(i)
    whole = population.objective
    if len(by_fold) == 1:
        return [Cohort(fold, rows, whole) for fold, rows in by_fold.items()]
    return [Cohort(fold, rows, whole.keep(rows)) for fold, rows in by_fold.items()]


def step_batch(jobs: Sequence[Job], orders: Orders, rows: Tensor) -> Batch:
    """Return the examples of one step: the rows of every order in its division.

    Shape:
        - rows: ``(G, B)``
    """
    folds, sizes = zip(*orders.sizes, strict=True)
    parts = zip(folds, torch.split_with_sizes(rows, sizes), strict=True)
    return Batch.joined([jobs[fold].batch(own) for fold, own in parts])


def begin_epoch(jobs: Sequence[Job], orders: Orders, epoch: Tensor) -> None:
    """Tell the training rows of each division which of them an epoch will take.

    Shape:
        - epoch: ``(steps, G, B)``
    """
    folds, sizes = zip(*orders.sizes, strict=True)
    for fold, own in zip(folds, torch.split_with_sizes(epoch, sizes, dim=1), strict=True):
        jobs[fold].train.begin(own)


def score_epoch(population: Population, jobs: Sequence[Job]) -> None:
    """Score a population on the validation rows as after an epoch, only to time it."""
    for cohort in cohorts_of(population):
        seen = [
            _Progress(population.candidates[i], 0, population.rows[i], torch.empty(0))
            for i in cohort.rows
        ]
        _score(population, cohort, jobs, seen, epoch=1)


def _score(
    population: Population,
    cohort: Cohort,
    jobs: Sequence[Job],
    seen: Sequence[_Progress],
    epoch: int,
) -> None:
    """Score an epoch on the validation rows of a division and keep the best weights so far.

    Without validation rows the weights of the last epoch are kept.
    """
    job, specs = jobs[cohort.fold], cohort.objective.specs
    if not len(job.valid):
        _keep_last(population.rows[cohort.rows], seen, epoch)
        return
    size = job.valid.shape[-1] * job.classes.row_scores
    parts = list(scored_together(len(cohort.rows), logits=size))
    if len(parts) > 1:
        for few in parts:
            rows = [cohort.rows[i] for i in few]
            part = Cohort(cohort.fold, rows, cohort.objective.keep(few))
            _score(population, part, jobs, [seen[i] for i in few], epoch)
        return
    all_are_here = len(cohort.rows) == len(population)
    weights = population.rows if all_are_here else population.rows[cohort.rows]
    logits = logits_of(job.network, weights, specs, job.valid)
    known = [one.readout_state for one in seen]
    start = None
    if any(state is not None for state in known):
        none = logits.new_full((_SOURCES,), torch.nan, dtype=torch.float64)
        start = torch.stack([none if state is None else state for state in known])
    refined, error, state = refined_log_loss(
        logits, job.valid.targets, cohort.objective, folds=job.folds, start=start
    )
    finite = (logits.isfinite().flatten(1).all(1) & refined.isfinite()).tolist()
    # At once, because a GPU is waited for at every single number.
    values, errors = refined.tolist(), error.tolist()
    for i, one in enumerate(seen):
        one.readout_state = state[i]
        if not finite[i]:
            one.diverged = True
            continue
        value, age = values[i], epoch - one.start
        one.curve.append(CurvePoint(age, value, errors[i]))
        if value < one.best:
            one.best, one.best_epoch = value, age
            one.weights = weights[i].clone()
            one.logits = logits[i].clone()


def _keep_last(weights: Tensor, seen: Sequence[_Progress], epoch: int) -> None:
    """Keep the weights of an epoch, which nothing scores."""
    for one, own in zip(seen, weights, strict=True):
        one.diverged = not bool(own.isfinite().all())
        if not one.diverged:
            one.best_epoch = epoch - one.start
            one.curve.append(CurvePoint(one.best_epoch, math.nan, math.nan))
            one.weights = own.clone()
