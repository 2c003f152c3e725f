"""Notes for the user on rare positives and on costs."""

from __future__ import annotations

from autoloss.data import StudyData
from autoloss.data.costs import cost_notes
from autoloss.data.rare import rare_notes
from autoloss.metrics import Metric
from autoloss.search import Space


def study_notes(
    data: StudyData, space: Space, metric: Metric, *, has_weights: bool
) -> tuple[str, ...]:
    """Return the notes on rare positives and on costs, a sentence each."""
    costs = metric.costs
    rare: tuple[str, ...] = ()
    if data.task.kind == "binary":
        rare = rare_notes(
            data.summary.class_counts,
            space.training.batch_size,
            metric.name,
            costs is not None,
            negatives=space.protocol.negatives,
        )
    if costs is None or data.task.names:
        return rare
    return (*rare, *cost_notes(costs, data.task.classes, has_weights=has_weights))
