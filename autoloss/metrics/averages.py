"""Metrics of one class, declared together with scikit-learn's averages over the classes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from autoloss.metrics.declare import Declaration, Function

if TYPE_CHECKING:
    from autoloss.metrics.judged import Counts, FloatArray, Judged

_AVERAGES = {
    "": "of class 1",
    "macro": "the mean over the classes or labels",
    "micro": "over all rows and labels at once",
    "weighted": "the mean over the classes or labels, weighted by their rows",
}
Fraction: TypeAlias = "tuple[FloatArray, FloatArray]"
"""Numerator and denominator for each class."""
OfClasses = Callable[["FloatArray", "FloatArray", "FloatArray"], Fraction]


def declare_averages(
    *, title: str, meaning: str, is_named_after: bool = False
) -> Callable[[OfClasses], tuple[Declaration, ...]]:
    """Return a decorator that declares a metric of class 1, and its averages over all classes.

    The function takes the hits, true rows and decided rows of a class (see `Judged`) and returns
    the numerator and the denominator of the metric, in [0, 1]; higher is better.

    Args:
        title: The name that a reader sees.
        meaning: Its meaning, a sentence without its full stop.
        is_named_after: Whether the title begins with the name of a person.
    """

    def declared(fraction: OfClasses) -> tuple[Declaration, ...]:
        name = fraction.__name__
        of_one = Declaration(
            name=name,
            function=_average(fraction, ""),
            title=title,
            kind="plain",
            meaning=f"{meaning}, {_AVERAGES['']}.",
            lower_is_better=False,
            two_classes=True,
            for_more_classes=f"{name}_macro",
            is_named_after=is_named_after,
        )
        averages = (
            replace(
                of_one,
                name=f"{name}_{average}",
                function=_average(fraction, average),
                title=f"{title} ({average})",
                meaning=f"{meaning}, {words}.",
                two_classes=False,
                for_more_classes="",
            )
            for average, words in _AVERAGES.items()
            if average
        )
        return (of_one, *averages)

    return declared


def _average(fraction: OfClasses, average: str) -> Function:
    """Return the function of predictions that computes an average of a fraction."""

    def averaged(judged: Judged) -> FloatArray:
        return average_of(judged, judged.averaged, fraction, average)

    return averaged


def average_of(judged: Judged, counts: Counts, fraction: OfClasses, average: str) -> FloatArray:
    """Return an average of a fraction over some counts, (K,)."""
    hits, true, decided = counts.hits, counts.true, counts.decided
    if average == "":
        hits, true, decided = (of[..., counts.of_one] for of in (hits, true, decided))
    if average in ("", "micro"):
        hits, true, decided = (of.sum(-1, keepdims=True) for of in (hits, true, decided))
    above, below = fraction(hits, true, decided)
    # A class that is never decided for has a precision of 0, as in scikit-learn.
    values = judged.ratio(above, below)
    if average in ("", "micro"):
        return values[..., 0]
    weights = counts.in_mean * (true if average == "weighted" else 1.0)
    return judged.ratio((values * weights).sum(-1), weights.sum(-1))
