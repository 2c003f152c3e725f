"""Matthews' correlation coefficient."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoloss.metrics.declare import declare

if TYPE_CHECKING:
    from autoloss.metrics.judged import FloatArray, Judged


@declare(
    title="MCC",
    meaning="Matthews correlation of the decisions with the true classes.",
    lower_is_better=False,
    aliases=("matthews_corrcoef",),
)
def mcc(judged: Judged) -> FloatArray:
    """Return the correlation, in [-1, 1]; 0 where the true or decided classes are constant."""
    true, decided = judged.true, judged.decided
    n = true.sum(-1)
    covariance = judged.hits.sum(-1) * n - (true * decided).sum(-1)
    spread = (n**2 - (true**2).sum(-1)) * (n**2 - (decided**2).sum(-1))
    return judged.ratio(covariance, spread**0.5)
