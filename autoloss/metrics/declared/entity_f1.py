"""F1 of entities."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoloss.metrics.declare import declare

if TYPE_CHECKING:
    from autoloss.metrics.judged import FloatArray, Judged


@declare(
    title="Entity F1",
    meaning="Harmonic mean of precision and recall of whole entities, over all types at once.",
    lower_is_better=False,
    reads="entities",
)
def entity_f1(judged: Judged) -> FloatArray:
    """Return the micro average of the F1 of entities, in [0, 1].

    An entity is found if its first token, its last token and its type are right, as in seqeval's
    strict mode (`entity_ends`); 0 where there are no entities.
    """
    found, true, decided = judged.entities
    return judged.ratio(2.0 * found.sum(-1), true.sum(-1) + decided.sum(-1))
