"""F1 and its averages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoloss.metrics.averages import Fraction, average_of, declare_averages
from autoloss.metrics.declare import Declaration

if TYPE_CHECKING:
    from autoloss.metrics.judged import FloatArray, Judged


def _f1(hits: FloatArray, true: FloatArray, decided: FloatArray) -> Fraction:
    """Return twice the hits, and the true and decided rows."""
    return 2.0 * hits, true + decided


@declare_averages(title="F1", meaning="Harmonic mean of precision and recall")
def f1(hits: FloatArray, true: FloatArray, decided: FloatArray) -> Fraction:
    """Return twice the hits, and the true and decided rows."""
    return _f1(hits, true, decided)


def _at_half(average: str, words: str) -> Declaration:
    """Return F1 of several labels where a label is decided for if it is likelier than not."""

    def averaged(judged: Judged) -> FloatArray:
        return average_of(judged, judged.averaged_at_half, _f1, average)

    return Declaration(
        name=f"f1_{average}_at_half",
        function=averaged,
        title=f"F1 ({average}) at a half",
        kind="plain",
        meaning=f"F1 of several labels, {words}, if all thresholds are at a half.",
        lower_is_better=False,
        several_labels=True,
        always=True,
    )


AT_HALF = (
    _at_half("macro", "the mean over the labels"),
    _at_half("micro", "over all labels at once"),
)
