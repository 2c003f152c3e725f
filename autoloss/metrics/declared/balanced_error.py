"""The error with equal weight for each class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoloss.metrics.declare import declare

if TYPE_CHECKING:
    from torch import Tensor

    from autoloss.metrics.judged import Judged


@declare(
    title="Balanced error",
    kind="share",
    meaning="Mean over the classes of the share of wrong decisions.",
    lower_is_better=True,
    decision="balanced_error",
    mean_of_wrong="classes",
    always=True,
)
def balanced_error(judged: Judged) -> Tensor:
    """Return the mean over the classes of the share of their rows that is missed, in [0, 1]."""
    from autoloss.metrics.decisions import balanced_error

    return balanced_error(judged.log_probs, judged.classes, class_counts=judged.class_counts)
