"""The Jaccard index and its averages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoloss.metrics.averages import Fraction, declare_averages

if TYPE_CHECKING:
    from autoloss.metrics.judged import FloatArray


@declare_averages(
    title="Jaccard index",
    meaning="Correct decisions for a class over its rows and decisions",
    is_named_after=True,
)
def jaccard(hits: FloatArray, true: FloatArray, decided: FloatArray) -> Fraction:
    """Return the hits, and the rows that are of the class or decided for it."""
    return hits, true + decided - hits
