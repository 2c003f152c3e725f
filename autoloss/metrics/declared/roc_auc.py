"""The areas under the ROC curves of several classes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from autoloss.metrics.declare import Declaration

if TYPE_CHECKING:
    from autoloss.metrics.judged import FloatArray, Judged


def _declared(*, pairs: bool, weighted: bool) -> Declaration:
    """Return the mean area of classes or pairs of classes, in [0, 1]."""

    def areas(judged: Judged) -> FloatArray:
        from autoloss.metrics.ranking import area_of_classes

        return judged.per_candidate(partial(area_of_classes, pairs=pairs, weighted=weighted))

    kind = "ovo" if pairs else "ovr"
    curves = "each pair of classes" if pairs else "each class against the rest"
    return Declaration(
        name=f"roc_auc_{kind}{'_weighted' if weighted else ''}",
        function=areas,
        title=f"AUROC ({kind.upper()}{', weighted' if weighted else ''})",
        kind="plain",
        meaning=f"Mean area under the ROC curves of {curves}"
        f"{', weighted by rows' if weighted else ''}.",
        lower_is_better=False,
        judges="probabilities",
    )


AREAS = tuple(
    _declared(pairs=pairs, weighted=weighted)
    for pairs in (False, True)
    for weighted in (False, True)
)
