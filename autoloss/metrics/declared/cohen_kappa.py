"""Cohen's kappa."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoloss.metrics.declare import declare

if TYPE_CHECKING:
    from autoloss.metrics.judged import FloatArray, Judged


@declare(
    title="Cohen's kappa",
    meaning="Agreement with the true classes beyond chance.",
    lower_is_better=False,
    is_named_after=True,
)
def cohen_kappa(judged: Judged) -> FloatArray:
    """Return the agreement, at most 1; 0 where one class is true and decided for throughout."""
    true, decided = judged.true, judged.decided
    n = true.sum(-1)
    by_chance = (true * decided).sum(-1) / n**2
    agreed = judged.hits.sum(-1) / n
    return judged.ratio(agreed - by_chance, 1.0 - by_chance)
