"""The geometric mean of the recalls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoloss.metrics.declare import declare

if TYPE_CHECKING:
    from autoloss.metrics.judged import FloatArray, Judged


@declare(
    title="Geometric mean of recalls",
    meaning="Geometric mean of the recalls of the classes; 0 where one is never found.",
    lower_is_better=False,
    aliases=("geometric_mean",),
)
def gmean(judged: Judged) -> FloatArray:
    """Return the geometric mean of the recalls of the classes that have rows, in [0, 1].

    Source:
        Kubat and Matwin 1997, Addressing the Curse of Imbalanced Training Sets, ICML.
    """
    true = judged.true
    # A class without a row counts as a factor of 1 and does not raise the root.
    recalls = judged.ratio(judged.hits, true) + (true == 0)
    # Roots before the product, which many classes would round to 0.
    root = 1.0 / (true > 0).sum(-1, keepdims=True)
    mean: FloatArray = (recalls**root).prod(-1)
    return mean
