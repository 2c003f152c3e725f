"""The scores of familiar rows, which a model keeps for the thresholds of strangers."""

from __future__ import annotations

from dataclasses import replace

from autoloss.experiment.held_out import HeldOutFinalists, Weights
from autoloss.inference.classifier import Classifier
from autoloss.inference.strangers import OodScore, StrangerRule, has_strangers
from autoloss.metrics.strangers import OF_LOGITS

USUAL = tuple(map(OodScore, OF_LOGITS))
"""The scores whose values for familiar rows a model keeps."""


def with_familiar(model: Classifier, pool: HeldOutFinalists, weights: Weights) -> Classifier:
    """Return a model that knows the scores of the rows that its trainings held out.

    Args:
        model: The model; of several labels and of sequences it stays as it is.
        pool: The predictions for these rows.
        weights: The weight of each finalist of its mean.
    """
    if not has_strangers(model.task):
        return model
    scores = pool.ood_scores(weights, USUAL)
    return replace(model, strangers=StrangerRule.fit(scores, OodScore(), is_chosen=False))
