"""The losses equal those of torch and scikit-learn, example by example."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch.nn import functional
from torch.testing import assert_close

from autoloss import losses
from autoloss.losses import LossSpec, Objective
from autoloss.losses.priors import log_class_weights

from .cases import draw, draw_labels

LOGITS, TARGETS = draw(40, 5, scale=2.0), draw_labels(40, n_classes=5)
PROBS = draw(40, 5, seed=5).softmax(-1)
COUNTS = torch.tensor([80.0, 40.0, 20.0, 10.0, 2.0])


def values(settings, targets=TARGETS):
    """Return the loss of every example by an objective of one candidate."""
    objective = Objective([LossSpec.from_dict(settings)], COUNTS, dtype=torch.float64)
    return objective(LOGITS[None], targets)[0]


def test_cross_entropy_is_torch():
    loss = losses.get("cross_entropy")
    expected = functional.cross_entropy(LOGITS, TARGETS, reduction="none")
    assert_close(loss(LOGITS, TARGETS), expected)
    soft = functional.cross_entropy(LOGITS, PROBS, reduction="none")
    assert_close(loss(LOGITS, PROBS), soft)


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("epsilon", [0.0, 0.1, 0.3])
@pytest.mark.parametrize("targets", [TARGETS, PROBS], ids=["hard", "soft"])
def test_weights_and_smoothing_are_torch(power: float, epsilon: float, targets):
    weights = log_class_weights(COUNTS.double(), torch.full((1, 1), power)).exp()[0]
    ours = values(
        {
            "base": "cross_entropy",
            "prior": "class_weight",
            "class_weight.power": power,
            "target": "smoothing",
            "smoothing.epsilon": epsilon,
        },
        targets,
    )
    expected = functional.cross_entropy(
        LOGITS, targets, weight=weights.double(), label_smoothing=epsilon, reduction="none"
    )
    assert_close(ours, expected)


@pytest.mark.parametrize("tau", [0.5, 1.0, 2.0])
def test_logit_adjustment_adds_the_log_prior(tau: float):
    ours = values({"base": "cross_entropy", "prior": "logit_adjust", "logit_adjust.tau": tau})
    shifted = LOGITS + tau * (COUNTS / COUNTS.sum()).log().double()
    expected = functional.cross_entropy(shifted, TARGETS, reduction="none")
    assert_close(ours, expected, atol=1e-6, rtol=1e-6)


def test_temperature_divides_before_the_adjustment():
    ours = values({"base": "cross_entropy", "prior": "logit_adjust", "temperature": 2.0})
    shifted = LOGITS / 2.0 + (COUNTS / COUNTS.sum()).log().double()
    expected = functional.cross_entropy(shifted, TARGETS, reduction="none")
    assert_close(ours, expected, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("p", [1, 2])
def test_weston_watkins_is_the_multi_margin_loss_of_torch(p: int):
    expected = functional.multi_margin_loss(LOGITS, TARGETS, p=p, reduction="none")
    assert_close(losses.get("weston_watkins")(LOGITS, TARGETS, p=p), expected)


@pytest.mark.parametrize("n_classes", [2, 5])
def test_crammer_singer_is_the_hinge_loss_of_scikit_learn(n_classes: int):
    logits, targets = draw(40, n_classes), draw_labels(40, n_classes=n_classes)
    ours = losses.get("crammer_singer")(logits, targets).mean().item()
    # scikit-learn takes one column for two classes, the difference of ours.
    scores = logits[:, 1] - logits[:, 0] if n_classes == 2 else logits
    expected = sklearn.metrics.hinge_loss(targets.numpy(), scores.numpy())
    assert ours == pytest.approx(expected)


def test_brier_is_twice_that_of_scikit_learn_for_two_classes():
    logits, targets = draw(40, 2), draw_labels(40, n_classes=2)
    ours = losses.get("brier")(logits, targets).mean().item()
    probs = logits.softmax(-1)[:, 1].numpy()
    assert ours == pytest.approx(2 * sklearn.metrics.brier_score_loss(targets.numpy(), probs))


def test_power_one_weights_are_the_balanced_ones_of_scikit_learn():
    labels = torch.arange(5).repeat_interleave(COUNTS.long()).numpy()
    expected = compute_class_weight("balanced", classes=np.arange(5), y=labels)
    ours = log_class_weights(COUNTS.double(), torch.ones(1, 1)).exp()[0]
    assert_close(ours, torch.tensor(expected))


def test_sm_softmax_lowers_the_true_logit():
    lowered = LOGITS - 0.7 * functional.one_hot(TARGETS, 5)
    expected = functional.cross_entropy(lowered, TARGETS, reduction="none")
    assert_close(losses.get("sm_softmax")(LOGITS, TARGETS, m=0.7), expected)


def test_generalized_cross_entropy_tends_to_the_mean_absolute_error():
    ours = losses.get("generalized_cross_entropy")(LOGITS, TARGETS, q=1 - 1e-12)
    missed = 1 - LOGITS.softmax(-1)[torch.arange(40), TARGETS]
    assert_close(ours, missed, atol=1e-10, rtol=0)
