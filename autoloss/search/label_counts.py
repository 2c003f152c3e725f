"""Several labels of a study with their rows and weights, for its summary."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from autoloss.core.task import Task
from autoloss.losses import ClassFacts
from autoloss.metrics.costs import Matrix
from autoloss.records import LabelCount
from autoloss.search.config import StudyConfig


def label_counts(facts: ClassFacts, task: Task) -> tuple[LabelCount, ...]:
    """Return several labels with their training rows; labels without names have numbers."""
    counts = facts.population.tolist()
    names = task.names or tuple(map(str, range(len(counts))))
    return tuple(
        LabelCount(name, positives=round(yes), negatives=round(no))
        for name, (no, yes) in zip(names, counts, strict=True)
    )


def weights_of_classes(config: StudyConfig) -> tuple[float, ...] | None:
    """Return the weights of classes that the user gives."""
    return cast("tuple[float, ...] | None", config.class_weights)


def with_given(
    labels: tuple[LabelCount, ...], config: StudyConfig, costs: Matrix | None
) -> tuple[LabelCount, ...]:
    """Return several labels with the weights of yes and the costs that the user gives.

    Args:
        labels: The labels; empty for one label a row.
        config: The study, with the weights of no and yes.
        costs: The costs of a miss and of a false alarm of each label.
    """
    if labels and config.class_weights is not None:
        pairs = cast("tuple[tuple[float, float], ...]", config.class_weights)
        labels = tuple(replace(one, weight=own[1]) for one, own in zip(labels, pairs, strict=True))
    if labels and costs is not None:
        labels = tuple(
            replace(one, costs=(float(own[0]), float(own[1])))
            for one, own in zip(labels, costs, strict=True)
        )
    return labels
