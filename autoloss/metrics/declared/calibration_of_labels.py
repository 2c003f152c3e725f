"""The calibration error of several labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoloss.metrics.declare import declare

if TYPE_CHECKING:
    from torch import Tensor

    from autoloss.metrics.judged import Judged


@declare(
    title="Debiased calibration error of labels",
    meaning="Squared calibration error of each label's probability less its bias, their mean.",
    lower_is_better=True,
    judges="probabilities",
    two_classes=True,
    several_labels=True,
    always=True,
)
def calibration_of_labels(judged: Judged) -> Tensor:
    """Return the mean over labels of the debiased squared calibration error of yes."""
    from autoloss.metrics.calibration import debiased_calibration_error

    def of_yes(probs: Tensor, answers: Tensor) -> Tensor:
        return debiased_calibration_error(probs, answers.double().expand_as(probs))

    return judged.of_labels(of_yes, weighted=False, of_probs=True)
