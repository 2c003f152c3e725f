"""The calibration error of several labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoloss.metrics.declare import declare

if TYPE_CHECKING:
    from autoloss.metrics.judged import FloatArray, Judged


@declare(
    title="Debiased calibration error of labels",
    meaning="Squared calibration error of each label's probability less its bias, their mean.",
    lower_is_better=True,
    judges="probabilities",
    two_classes=True,
    several_labels=True,
    always=True,
)
def calibration_of_labels(judged: Judged) -> FloatArray:
    """Return the mean over labels of the debiased squared calibration error of yes."""
    return judged.mean_over_labels(judged.label_calibration)
