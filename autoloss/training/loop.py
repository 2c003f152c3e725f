"""The training loop: a population trains until every candidate of it has stopped."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from autoloss.readout import refined_log_loss
from autoloss.records import CurvePoint
from autoloss.settings import TrainingConfig
from autoloss.training.allocator import keep_freed_memory
from autoloss.training.batch import Orders, batch_size_for
from autoloss.training.candidate import Candidate, Outcome
from autoloss.training.evaluate import split_logits
from autoloss.training.job import Job
from autoloss.training.population import Population
from autoloss.training.schedule import lr_factor


@dataclass(frozen=True)
class EpochReport:
    """Where a population stands after an epoch.

    Args:
        epoch: Epochs done.
        max_epochs: Epochs at most.
        alive: Candidates that go on.
        best_log_loss: Lowest refined log loss so far, in nats.
    """

    epoch: int
    max_epochs: int
    alive: int
    best_log_loss: float


@dataclass
class _Progress:
    """What is known of one candidate while it trains."""

    weights: Tensor
    logits: Tensor
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
    job: Job,
    candidates: Sequence[Candidate],
    *,
    on_epoch: Callable[[EpochReport], None] | None = None,
    deadline: float | None = None,
) -> list[Outcome]:
    """Train candidates together; what becomes of one does not depend on the others.

    Args:
        job: The study's network and rows, already on the device.
        candidates: The candidates.
        on_epoch: Called after every epoch.
        deadline: When to stop, on `time.monotonic`'s clock; candidates that it cuts off keep their
            best weights so far and end as ``"stopped"``.

    Returns:
        One outcome a candidate, in their order.
    """
    if job.device.type == "cpu":
        keep_freed_memory()
    population = Population(
        job.network,
        candidates,
        job.classes,
        device=job.device,
        dtype=job.dtype,
        teacher=job.teacher,
    )
    size = batch_size_for(len(job.train), job.config.batch_size)
    orders = Orders(
        [candidate.seed for candidate in candidates], len(job.train), size, device=job.device
    )
    seen = [
        _Progress(weights=population.rows[k], logits=torch.empty(0))
        for k in range(len(population))
    ]
    alive = list(range(len(candidates)))
    state: Tensor | None = None
    for epoch in range(1, job.config.max_epochs + 1):
        started = time.perf_counter()
        _train_epoch(population, orders, job, epoch)
        logits = split_logits(population, job.valid)
        state = _record(population, logits, job, [seen[k] for k in alive], epoch, state)
        for k in alive:
            seen[k].seconds += (time.perf_counter() - started) / len(alive)
        late = deadline is not None and time.monotonic() > deadline
        going = [
            i
            for i, k in enumerate(alive)
            if not late and _goes_on(seen[k], epoch, candidates[k], job.config)
        ]
        for k in alive:
            seen[k].cut = late and not seen[k].diverged
        if 0 < len(going) < len(alive):
            population.keep(going)
            state = state[going]
        alive = [alive[i] for i in going]
        if on_epoch is not None:
            best = min(progress.best for progress in seen)
            on_epoch(EpochReport(epoch, job.config.max_epochs, len(alive), best))
        if not alive:
            break
    return [progress.outcome() for progress in seen]


def _train_epoch(population: Population, orders: Orders, job: Job, epoch: int) -> None:
    """Take every step of one epoch."""
    config = job.config
    total = orders.steps * config.max_epochs
    for i, rows in enumerate(orders.epoch()):
        step = (epoch - 1) * orders.steps + i
        factor = lr_factor(step, total, warmup=config.warmup, decay=config.decay)
        population.step(job.train.batch(rows), orders, factor, progress=step / total)


def _record(
    population: Population,
    logits: Tensor,
    job: Job,
    seen: Sequence[_Progress],
    epoch: int,
    state: Tensor | None,
) -> Tensor:
    """Score an epoch on the validation rows and keep what is the best so far."""
    refined, error, state = refined_log_loss(
        logits, job.valid.targets, population.objective, folds=job.folds, start=state
    )
    finite = logits.isfinite().flatten(1).all(1) & refined.isfinite()
    for i, progress in enumerate(seen):
        if not finite[i]:
            progress.diverged = True
            continue
        value = float(refined[i])
        progress.curve.append(CurvePoint(epoch, value, float(error[i])))
        if value < progress.best:
            progress.best, progress.best_epoch = value, epoch
            progress.weights = population.rows[i].clone()
            progress.logits = logits[i].clone()
    return state


def _goes_on(
    progress: _Progress, epoch: int, candidate: Candidate, config: TrainingConfig
) -> bool:
    """Return whether a candidate trains on: it is finite and was better in the last epochs."""
    if progress.diverged or epoch == candidate.epochs:
        return False
    return epoch - progress.best_epoch < config.patience
