"""Precision and its averages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoloss.metrics.averages import Fraction, declare_averages

if TYPE_CHECKING:
    from autoloss.metrics.judged import FloatArray


@declare_averages(title="Precision", meaning="Share of the decisions for a class that are correct")
def precision(hits: FloatArray, true: FloatArray, decided: FloatArray) -> Fraction:
    """Return the hits, and the decided rows."""
    return hits, decided
