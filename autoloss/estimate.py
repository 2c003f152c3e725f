"""How long a search will take, from a few steps whose weights are thrown away."""

from __future__ import annotations

import math

from autoloss.devices import now
from autoloss.divisions import Divisions
from autoloss.training.pool import score_epoch, step_batch
from autoloss.training.together import passing_population

STEPS = 5
EPOCHS_USED = 0.7
"""Share of the epochs that candidates use before they stop, as seen on tables of all sizes."""


def expected_seconds(divisions: Divisions, *, together: int, trainings: int) -> float:
    """Return the wall time that a search is expected to take, in seconds.

    Args:
        divisions: The divisions on which trials are compared.
        together: Candidates trained together.
        trainings: Trainings of the search and of what comes after it.
    """
    jobs = divisions.jobs
    job = jobs[0]
    population, orders = passing_population(jobs, together)
    steps = [step_batch(jobs, orders, rows) for rows in orders.epoch()[: STEPS + 1]]
    population.step(steps[0], orders, 1.0)
    started = now(job.device)
    for batch in steps[1:]:
        population.step(batch, orders, 1.0)
    stepped = now(job.device)
    score_epoch(population, jobs)
    scored = now(job.device)
    epoch = orders.steps * (stepped - started) / max(len(steps) - 1, 1) + (scored - stepped)
    populations = math.ceil(trainings / together)
    return populations * job.config.max_epochs * EPOCHS_USED * epoch
