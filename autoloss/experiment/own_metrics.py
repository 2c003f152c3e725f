"""Custom metrics in a search: their check before it, and metrics of models."""

from __future__ import annotations

import torch

from autoloss.core.errors import InputError
from autoloss.data import StudyData
from autoloss.losses import ClassFacts
from autoloss.metrics import Judged, OwnMetrics
from autoloss.metrics.label_places import LabelPlaces
from autoloss.metrics.own import check_values
from autoloss.metrics.token_places import TokenPlaces
from autoloss.readout import Items
from autoloss.search import Space


def check_metrics(own: OwnMetrics, data: StudyData, space: Space) -> None:
    """Check custom metrics once, on random predictions for held-out rows.

    Args:
        own: The metrics.
        data: The data.
        space: The space.

    Raises:
        InputError: A metric is not a number, is not finite, or depends on the order of the rows;
            or a metric of models meets a judge that does not train the finalists again.
    """
    if not own.metrics:
        return
    task, targets = data.task, data.folds[0].valid.targets
    counts = data.class_counts.double()
    facts = ClassFacts(counts, task=task.kind, names=task.tags, constrained=task.constrained)
    items = Items.of(targets, facts)
    drawn = torch.randn(
        (1, len(items), facts.n_classes),
        generator=torch.Generator().manual_seed(0),
        dtype=torch.float64,
    )
    judged = Judged(
        scores=drawn.log_softmax(-1),
        are_logs=True,
        classes=items.labels,
        facts=facts,
        places=LabelPlaces.of(items, facts),
        tokens=TokenPlaces.of(items, facts),
    )
    for metric in own.metrics:
        if not metric.is_of_models:
            check_values(metric, judged)
        elif data.resampling.verdict == "nested":
            raise InputError(
                f"{metric.name} must be a metric of predictions for nested cross-validation, but"
                ' got a metric of models: set judge = "out_of_fold" in [protocol].'
            )
