"""The strangers of a search: the score that the model which ships carries, and its threshold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from autoloss.experiment.confirmation import LockedPredictions
from autoloss.inference.classifier import Classifier
from autoloss.inference.strangers import OodScore, StrangerRule

_ROWS = 4096
"""The locked rows whose scores make thresholds, at most."""


def with_locked(model: Classifier, locked: LockedPredictions) -> Classifier:
    """Return a model that knows the scores of locked rows in the place of those of held-out rows.

    Its mean is the mean of all members there, as for new rows; a row that was held out has the
    scores of few members, which differ more.

    Args:
        model: The model.
        locked: Its predictions for the locked rows.
    """
    rule = model.strangers
    if rule is None:
        return model
    n_rows = len(locked.rows.rows)
    rows = np.unique(np.linspace(0, n_rows - 1, min(n_rows, _ROWS)).round().astype(int))
    logits = locked.logits(model, rows)
    weights = [member.weight for member in model.members]
    scores = [OodScore.of(name) for name in rule.familiar]
    known = {one: one(logits, weights=weights).numpy() for one in scores}
    return replace(model, strangers=StrangerRule.fit(known, rule.score, is_chosen=rule.is_chosen))
