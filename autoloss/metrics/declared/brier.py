"""The Brier score."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoloss.metrics.declare import declare

if TYPE_CHECKING:
    from torch import Tensor

    from autoloss.metrics.judged import Judged


@declare(
    title="Brier score",
    meaning="Squared error of the probabilities, summed over classes.",
    lower_is_better=True,
    aliases=("brier_score", "neg_brier_score"),
    judges="probabilities",
    always=True,
    is_named_after=True,
)
def brier(judged: Judged) -> Tensor:
    """Return the squared error of the probabilities, in [0, 2]: a sum over the classes."""
    from autoloss.metrics.proper import brier

    return brier(judged.log_probs, judged.classes)
