"""The training loop: a population trains until every candidate of it has stopped."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from autoloss.losses import ClassFacts, Objective
from autoloss.readout import refined_log_loss
from autoloss.records import CurvePoint
from autoloss.settings import TrainingConfig
from autoloss.training.allocator import keep_freed_memory
from autoloss.training.batch import Batch, Orders, batch_size_for
from autoloss.training.candidate import Candidate, Outcome
from autoloss.training.evaluate import logits_of
from autoloss.training.job import Job
from autoloss.training.population import Population
from autoloss.training.schedule import lr_factor


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


@dataclass
class _Progress:
    """What is known of one candidate while it trains."""

    weights: Tensor
    logits: Tensor
    state: Tensor | None = None
    curve: list[CurvePoint] = field(default_factory=list)
    best: float = float("inf")
    best_epoch: int = 0
    seconds: float = 0.0
    diverged: bool = False
    cut: bool = False

    def outcome(self) -> Outcome:
        return Outcome(
            state="diverged" if self.diverged else "stopped" if self.cut else "complete",
            logits=self.logits,
            weights=self.weights,
            curve=tuple(self.curve),
            best_epoch=self.best_epoch,
            seconds=self.seconds,
        )


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
    config, device = jobs[0].config, jobs[0].device
    if device.type == "cpu":
        keep_freed_memory()
    population = Population(
        [one.network for one in jobs],
        candidates,
        _facts(jobs, candidates),
        device=device,
        dtype=jobs[0].dtype,
    )
    n_rows = [len(one.train) for one in jobs]
    orders = Orders(
        [candidate.seed for candidate in candidates],
        n_rows,
        batch_size_for(min(n_rows), config.batch_size),
        device=device,
        folds=[candidate.fold for candidate in candidates],
    )
    seen = [
        _Progress(weights=population.rows[k], logits=torch.empty(0))
        for k in range(len(population))
    ]
    alive = list(range(len(candidates)))
    divisions = _divisions(population)
    for epoch in range(1, config.max_epochs + 1):
        started = time.perf_counter()
        _train_epoch(population, orders, jobs, epoch, deadline)
        for division in divisions:
            _score(population, division, jobs, [seen[alive[i]] for i in division.rows], epoch)
        for k in alive:
            seen[k].seconds += (time.perf_counter() - started) / len(alive)
        late = deadline is not None and time.monotonic() > deadline
        going = [
            i
            for i, k in enumerate(alive)
            if not late and _goes_on(seen[k], epoch, candidates[k], config)
        ]
        for k in alive:
            seen[k].cut = late and not seen[k].diverged
        if 0 < len(going) < len(alive):
            population.keep(going)
            divisions = _divisions(population)
        alive = [alive[i] for i in going]
        if on_epoch is not None:
            best = min(progress.best for progress in seen)
            on_epoch(EpochReport(epoch, config.max_epochs, len(seen), len(alive), best))
        if not alive:
            break
    return [progress.outcome() for progress in seen]


def _facts(jobs: Sequence[Job], candidates: Sequence[Candidate]) -> ClassFacts:
    """Return what losses know of the classes, of the division of each candidate."""
    facts = jobs[0].classes
    if len(jobs) == 1:
        return facts
    own = [jobs[candidate.fold].classes for candidate in candidates]
    counts = torch.stack([one.counts for one in own])
    if facts.sampling is None:
        return replace(facts, counts=counts)
    sampling = [one.sampling for one in own if one.sampling is not None]
    return replace(facts, counts=counts, sampling=torch.stack(sampling))


@dataclass(frozen=True)
class _Division:
    """The candidates of one division: its number, their numbers, their losses."""

    fold: int
    rows: list[int]
    objective: Objective


def _divisions(population: Population) -> list[_Division]:
    """Return the candidates of every division."""
    by_fold: dict[int, list[int]] = {}
    for i, candidate in enumerate(population.candidates):
        by_fold.setdefault(candidate.fold, []).append(i)
    whole = population.objective
    if len(by_fold) == 1:
        return [_Division(fold, rows, whole) for fold, rows in by_fold.items()]
    return [_Division(fold, rows, whole.keep(rows)) for fold, rows in by_fold.items()]


def _train_epoch(
    population: Population,
    orders: Orders,
    jobs: Sequence[Job],
    epoch: int,
    deadline: float | None,
) -> None:
    """Take every step of one epoch; after the deadline no other one."""
    config = jobs[0].config
    total = orders.steps * config.max_epochs
    for i, rows in enumerate(orders.epoch()):
        step = (epoch - 1) * orders.steps + i
        factor = lr_factor(step, total, warmup=config.warmup, decay=config.decay)
        batch = step_batch(jobs, orders, rows)
        population.step(batch, orders, factor, progress=step / total)
        if deadline is not None and time.monotonic() > deadline:
            break


def step_batch(jobs: Sequence[Job], orders: Orders, rows: Tensor) -> Batch:
    """Return the examples of one step: the rows of every order in its division.

    Shape:
        - rows: ``(G, B)``
    """
    folds, sizes = zip(*orders.sizes, strict=True)
    parts = zip(folds, torch.split_with_sizes(rows, sizes), strict=True)
    return Batch.joined([jobs[fold].batch(own) for fold, own in parts])


def score_epoch(population: Population, jobs: Sequence[Job]) -> None:
    """Score a population on the validation rows as after an epoch, for its time alone."""
    for division in _divisions(population):
        seen = [_Progress(population.rows[i], torch.empty(0)) for i in division.rows]
        _score(population, division, jobs, seen, epoch=1)


def _score(
    population: Population,
    division: _Division,
    jobs: Sequence[Job],
    seen: Sequence[_Progress],
    epoch: int,
) -> None:
    """Score an epoch on the validation rows of a division and keep what is the best so far."""
    job, specs = jobs[division.fold], division.objective.specs
    all_are_here = len(division.rows) == len(population)
    weights = population.rows if all_are_here else population.rows[division.rows]
    logits = logits_of(job.network, weights, specs, job.valid)
    known = [progress.state for progress in seen]
    start = None if any(state is None for state in known) else torch.stack(known)  # type: ignore[arg-type]
    refined, error, state = refined_log_loss(
        logits, job.valid.targets, division.objective, folds=job.folds, start=start
    )
    finite = logits.isfinite().flatten(1).all(1) & refined.isfinite()
    for i, progress in enumerate(seen):
        progress.state = state[i]
        if not finite[i]:
            progress.diverged = True
            continue
        value = float(refined[i])
        progress.curve.append(CurvePoint(epoch, value, float(error[i])))
        if value < progress.best:
            progress.best, progress.best_epoch = value, epoch
            progress.weights = weights[i].clone()
            progress.logits = logits[i].clone()


def _goes_on(
    progress: _Progress, epoch: int, candidate: Candidate, config: TrainingConfig
) -> bool:
    """Return whether a candidate trains on: it is finite and was better in the last epochs."""
    if progress.diverged or epoch == candidate.epochs:
        return False
    return epoch - progress.best_epoch < config.patience
