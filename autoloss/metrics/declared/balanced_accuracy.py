"""The accuracy with equal weight for each class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoloss.metrics.declare import declare

if TYPE_CHECKING:
    from torch import Tensor

    from autoloss.metrics.judged import Judged


@declare(
    title="Balanced accuracy",
    kind="share",
    meaning="Mean over the classes of the share of correct decisions.",
    lower_is_better=False,
    decision="balanced_error",
    complement_of="balanced_error",
)
def balanced_accuracy(judged: Judged) -> Tensor:
    """Return the mean over the classes of the share of their rows that is found, in [0, 1]."""
    from autoloss.metrics.decisions import balanced_error

    missed = balanced_error(judged.log_probs, judged.classes, class_counts=judged.class_counts)
    return 1.0 - missed
