"""The average precision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoloss.metrics.declare import declare

if TYPE_CHECKING:
    from torch import Tensor

    from autoloss.metrics.judged import FloatArray, Judged


@declare(
    title="Average precision",
    meaning="Area under the precision-recall curve; the mean over several labels.",
    lower_is_better=False,
    judges="probabilities",
    two_classes=True,
    always=True,
)
def average_precision(judged: Judged) -> Tensor | FloatArray:
    """Return the average precision of class 1, in [0, 1]; the mean over several labels."""
    from autoloss.metrics.ranking import average_precision

    if judged.places is not None:
        return judged.mean_over_labels(judged.label_areas[1])
    return average_precision(judged.ranking, judged.classes)


@declare(
    title="Average precision (weighted)",
    meaning="Area under the precision-recall curve, the mean over labels weighted by their rows.",
    lower_is_better=False,
    judges="probabilities",
    two_classes=True,
    several_labels=True,
)
def average_precision_weighted(judged: Judged) -> FloatArray:
    """Return the mean of the labels' average precisions, weighted by the rows that have each."""
    return judged.mean_over_labels(judged.label_areas[1], weighted=True)
