"""The average precision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoloss.metrics.declare import declare

if TYPE_CHECKING:
    from torch import Tensor

    from autoloss.metrics.judged import Judged


@declare(
    title="Average precision",
    meaning="Area under the precision-recall curve; the mean over several labels.",
    lower_is_better=False,
    judges="probabilities",
    two_classes=True,
    always=True,
)
def average_precision(judged: Judged) -> Tensor:
    """Return the average precision of class 1, in [0, 1]; the mean over several labels."""
    from autoloss.metrics.ranking import average_precision

    return judged.of_labels(average_precision, weighted=False)


@declare(
    title="Average precision (weighted)",
    meaning="Area under the precision-recall curve, the mean over labels weighted by their rows.",
    lower_is_better=False,
    judges="probabilities",
    two_classes=True,
    several_labels=True,
)
def average_precision_weighted(judged: Judged) -> Tensor:
    """Return the mean of the labels' average precisions, weighted by the rows that have each."""
    from autoloss.metrics.ranking import average_precision

    return judged.of_labels(average_precision, weighted=True)
