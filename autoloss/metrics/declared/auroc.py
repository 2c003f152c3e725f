"""The area under the ROC curve."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoloss.metrics.declare import declare

if TYPE_CHECKING:
    from torch import Tensor

    from autoloss.metrics.judged import FloatArray, Judged


@declare(
    title="AUROC",
    meaning="Area under the ROC curve; the mean over several labels.",
    lower_is_better=False,
    aliases=("roc_auc",),
    judges="probabilities",
    two_classes=True,
    for_more_classes="roc_auc_ovr",
    always=True,
)
def auroc(judged: Judged) -> Tensor | FloatArray:
    """Return the area under the ROC curve of class 1, in [0, 1]; the mean over several labels."""
    from autoloss.metrics.ranking import auroc

    if judged.places is not None:
        return judged.mean_over_labels(judged.label_areas[0])
    return auroc(judged.ranking, judged.classes)
