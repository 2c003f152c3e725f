"""The choice between `torch.func.vmap` and a loop to train the custom network."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from autoloss.core.settings import TrainingConfig
from autoloss.core.task import TaskKind
from autoloss.data import Fold
from autoloss.losses import ClassFacts
from autoloss.models import ModuleNetwork
from autoloss.models.custom.check import Behaviour
from autoloss.training import together as timing
from autoloss.training.batch import batch_size_for
from autoloss.training.job import Job

TIMED = 16
"""The most candidates of a timed step."""
STEPS, SECONDS = 5, 1.0
CLEARLY = 0.8
"""A loop is chosen only below this share of the time of a stacked step: the two forms round
differently, and chance should seldom decide between them."""
_STEPS_OF_AN_EPOCH = 16


@dataclass(frozen=True)
class TrainingForm:
    """The form in which candidates train.

    Args:
        stacked: Whether they are one call of `torch.func.vmap`.
        reason: A clause for the log.
    """

    stacked: bool
    reason: str


def choose_form(
    network: ModuleNetwork,
    behaviour: Behaviour,
    fold: Fold,
    config: TrainingConfig,
    *,
    device: torch.device,
    together: int,
    task: TaskKind,
) -> TrainingForm:
    """Return the form in which candidates train fastest, by a few steps of each.

    Args:
        network: The network.
        behaviour: The result of its checks.
        fold: The division whose rows are used.
        config: The training configuration.
        device: The device.
        together: Candidates trained together.
        task: The kind of label.
    """
    alone = "candidates are called one by one on shared mini-batches"
    if behaviour.refusal:
        return TrainingForm(False, f"{alone}, because {behaviour.refusal}")
    if not behaviour.agrees:
        # The faster form must not affect the random draws.
        return TrainingForm(True, "candidates are called together, by torch.func.vmap")
    k = min(together or TIMED, TIMED)
    seconds = {}
    for stacked in (True, False):
        model = replace(network.model, stacked=stacked, draws=behaviour.draws)
        own = network.formed(model)
        job = _job(own, fold, config, device, task)
        seconds[stacked] = timing.step_seconds([job], k, STEPS, seconds=SECONDS)
    is_stacked = seconds[False] >= CLEARLY * seconds[True]
    figures = f"{1000 * seconds[is_stacked]:.3g} ms a step of {k}"
    other = f"{1000 * seconds[not is_stacked]:.3g} ms"
    if is_stacked:
        return TrainingForm(
            True,
            f"candidates are called together, by torch.func.vmap ({figures}; {other} one by one)",
        )
    return TrainingForm(False, f"{alone} ({figures}; {other} together, by torch.func.vmap)")


def _job(
    network: ModuleNetwork,
    fold: Fold,
    config: TrainingConfig,
    device: torch.device,
    task: TaskKind,
) -> Job:
    """Return a job of the fewest rows with mini-batches of the final size."""
    size = batch_size_for(len(fold.train), config.batch_size, least=config.smallest_batch)
    rows = torch.arange(min(len(fold.train), _STEPS_OF_AN_EPOCH * size))
    valid = fold.valid.take(torch.arange(min(len(fold.valid), size)))
    return Job.prepare(
        network,
        fold.train.take(rows),
        valid,
        class_counts=ClassFacts(fold.class_counts, task=task),
        folds=torch.zeros(len(valid), dtype=torch.int64),
        config=config,
        device=device,
    )
