"""Several labels of a study with their rows and weights, for its summary."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from autoloss.core.task import Task
from autoloss.losses import ClassFacts
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


def with_weights(labels: tuple[LabelCount, ...], config: StudyConfig) -> tuple[LabelCount, ...]:
    """Return several labels with the weights that the user gives for yes."""
    if not labels or config.class_weights is None:
        return labels
    pairs = cast("tuple[tuple[float, float], ...]", config.class_weights)
    return tuple(replace(one, weight=pair[1]) for one, pair in zip(labels, pairs, strict=True))
