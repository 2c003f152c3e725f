"""The geometric mean of the recalls, against scikit-learn's recalls and scipy's mean."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import gmean as of_scipy
from sklearn.metrics import recall_score

from autoloss.losses import ClassFacts
from autoloss.metrics import Judged
from autoloss.metrics.known import DECLARED

gmean = DECLARED["gmean"].function


@pytest.mark.parametrize("n_classes", [2, 3, 11])
def test_it_is_the_geometric_mean_of_the_recalls(n_classes: int) -> None:
    chance = np.random.default_rng(n_classes)
    classes = chance.integers(n_classes - 1, size=300)  # the last class has no row
    logits = chance.normal(size=(300, n_classes)) + 2.0 * np.eye(n_classes)[classes]
    recalls = recall_score(
        classes, logits.argmax(1), labels=range(n_classes - 1), average=None, zero_division=0.0
    )
    judged = Judged.of_probs(logits, classes, facts=ClassFacts(torch.ones(n_classes)))
    assert gmean(judged).tolist() == pytest.approx([of_scipy(recalls)])


def test_gmean_is_zero_where_a_class_is_never_found_and_lasts_for_many_classes() -> None:
    never = Judged.of_probs(
        np.tile([0.9, 0.1], (6, 1)), np.array([0, 0, 0, 1, 1, 0]), facts=ClassFacts(torch.ones(2))
    )
    assert gmean(never).tolist() == [0.0]
    # Every second row of each of 2 000 classes is taken for the next class.
    classes = np.repeat(np.arange(2000), 2)
    decided = classes.copy()
    decided[::2] = (classes[::2] + 1) % 2000
    probs = np.eye(2000, dtype=np.float32)[decided]
    many = Judged.of_probs(probs, classes, facts=ClassFacts(torch.ones(2000)))
    assert gmean(many)[0] == pytest.approx(0.5)
