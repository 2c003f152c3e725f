"""Divisions of a study's rows as its space trains on them."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from autoloss.data import Fold, StudyData
from autoloss.experiment.teachers.teacher import Teacher
from autoloss.losses import ClassFacts
from autoloss.models import OwnModel
from autoloss.search import Space
from autoloss.training.divisions import Divisions


def divisions_of(
    folds: Sequence[Fold],
    data: StudyData,
    space: Space,
    *,
    device: torch.device,
    seed: int,
    facts: ClassFacts,
    teacher: Teacher | None = None,
    negatives: float = 0,
    model: OwnModel | None = None,
) -> Divisions:
    """Bring divisions to the device, with the network and the training of a space.

    Args:
        folds: The divisions.
        data: The data that they are of.
        space: The space.
        device: The device.
        seed: Seed of the study.
        facts: Facts on the classes.
        teacher: The teacher of the rows; None for none.
        negatives: Negatives to train on for each positive; 0 for all.
        model: A custom network in place of the built-in network.
    """
    return Divisions.of(
        folds,
        data.task.n_outputs,
        space.network.sized(data.n_rows, data.task.n_outputs),
        space.training,
        device=device,
        seed=seed,
        facts=facts,
        teacher=None if teacher is None else teacher.logits,
        negatives=negatives,
        model=model,
        augment=space.augment,
    )
