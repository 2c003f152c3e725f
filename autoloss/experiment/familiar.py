"""The scores of in-distribution rows, which a model keeps for its OOD thresholds."""

from __future__ import annotations

from dataclasses import replace

from autoloss.experiment.held_out import HeldOutFinalists, Weights
from autoloss.inference.classifier import Classifier
from autoloss.inference.ood import OodScore, StrangerRule, has_strangers
from autoloss.metrics.ood import OF_LOGITS

USUAL = tuple(map(OodScore, OF_LOGITS))
"""The scores whose values for in-distribution rows a model keeps."""


def with_familiar(
    model: Classifier,
    pool: HeldOutFinalists,
    weights: Weights,
    *,
    score: OodScore | None = None,
) -> Classifier:
    """Return a model that knows the scores of the rows that its training runs held out.

    Args:
        model: The model; of several labels and of sequences it stays as it is.
        pool: The predictions for these rows.
        weights: The weight of each finalist of its mean.
        score: The score that was chosen on OOD rows; None if there are none.
    """
    if not has_strangers(model.task):
        return model
    own = OodScore() if score is None else score
    scores = pool.ood_scores(weights, dict.fromkeys((*USUAL, own)))
    return replace(model, strangers=StrangerRule.fit(scores, own, is_chosen=score is not None))
