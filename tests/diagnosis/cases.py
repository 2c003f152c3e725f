"""Predictions with a known truth."""

from __future__ import annotations

import numpy as np
from scipy.special import softmax


def drawn(n: int = 3000, classes: int = 4, *, seed: int = 0, sharpness: float = 1.0):
    """Return logits and labels; with a sharpness of 1 the labels are drawn from the softmax."""
    chance = np.random.default_rng(seed)
    logits = 1.5 * chance.normal(size=(n, classes))
    labels = (logits + chance.gumbel(size=logits.shape)).argmax(1)
    return sharpness * logits, labels


def probabilities(logits):
    return softmax(np.asarray(logits, dtype=np.float64), axis=1)
