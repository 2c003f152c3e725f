"""The average precision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoloss.metrics.declare import declare

if TYPE_CHECKING:
    from torch import Tensor

    from autoloss.metrics.judged import Judged


@declare(
    title="Average precision",
    meaning="Area under the precision-recall curve.",
    lower_is_better=False,
    judges="probabilities",
    two_classes=True,
    always=True,
)
def average_precision(judged: Judged) -> Tensor:
    """Return the average precision of class 1, in [0, 1]."""
    from autoloss.metrics.ranking import average_precision

    return average_precision(judged.ranking, judged.classes)
