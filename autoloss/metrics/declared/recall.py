"""Recall and its averages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoloss.metrics.averages import Fraction, declare_averages

if TYPE_CHECKING:
    from autoloss.metrics.judged import FloatArray


@declare_averages(title="Recall", meaning="Share of a class's rows that are decided for it")
def recall(hits: FloatArray, true: FloatArray, decided: FloatArray) -> Fraction:
    """Return the hits, and the true rows."""
    return hits, true
