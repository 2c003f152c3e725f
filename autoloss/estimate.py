"""How long a search will take, from a few steps whose weights are thrown away."""

from __future__ import annotations

import math
import time

import torch

from autoloss.losses import LossSpec
from autoloss.readout import refined_log_loss
from autoloss.training import Candidate, Job, Orders, Population, batch_size_for
from autoloss.training.evaluate import split_logits

STEPS = 5
EPOCHS_USED = 0.7
"""Share of the epochs that candidates use before they stop, as seen on tables of all sizes."""
FINAL_SHARE = 0.15
"""The final trainings, confirmation and report in units of the search."""


def expected_seconds(job: Job, *, together: int, trials: int) -> float:
    """Return the wall time that a search is expected to take, in seconds.

    Args:
        job: What all candidates have in common, on its device.
        together: Candidates trained together.
        trials: Trials of the search.
    """
    population = Population(
        job.network,
        [Candidate(LossSpec(), lr=1e-3, dropout=0.1)] * together,
        job.class_counts,
        device=job.device,
        dtype=job.dtype,
    )
    size = batch_size_for(len(job.train), job.config.batch_size)
    orders = Orders([0], len(job.train), size, device=job.device)
    rows = orders.epoch()
    population.step(job.batch(rows[0]), orders, 1.0)
    started = _now(job)
    for step in range(STEPS):
        population.step(job.batch(rows[step % len(rows)]), orders, 1.0)
    stepped = _now(job)
    logits = split_logits(population, job.valid)
    refined_log_loss(logits, job.valid.targets, population.objective, folds=job.folds)
    scored = _now(job)
    epoch = orders.steps * (stepped - started) / STEPS + (scored - stepped)
    populations = math.ceil(trials / together)
    return populations * job.config.max_epochs * EPOCHS_USED * epoch * (1.0 + FINAL_SHARE)


def _now(job: Job) -> float:
    """Return the clock when the device has done all that it was given, in seconds."""
    if job.device.type == "cuda":
        torch.cuda.synchronize(job.device)
    return time.perf_counter()
