"""F1 and its averages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoloss.metrics.averages import Fraction, declare_averages

if TYPE_CHECKING:
    from autoloss.metrics.judged import FloatArray


@declare_averages(title="F1", meaning="Harmonic mean of precision and recall")
def f1(hits: FloatArray, true: FloatArray, decided: FloatArray) -> Fraction:
    """Return twice the hits, and the true and decided rows."""
    return 2.0 * hits, true + decided
