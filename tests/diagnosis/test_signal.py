"""The gradients of losses on predictions, and their shares by groups of rows."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import autoloss
from autoloss.core.errors import InputError
from autoloss.diagnosis.labelled import checked_predictions
from autoloss.diagnosis.loss import determined_part, label_of, loss_of
from autoloss.diagnosis.signal import DEAD, gradients_of
from autoloss.losses import LossSpec
from tests.diagnosis.cases import drawn, probabilities

# φ(p) of losses of the true class's probability alone.
PHI = {
    "cross_entropy": np.ones_like,
    "focal gamma=2": lambda p: (1 - p) ** 2 - 2 * p * (1 - p) * np.log(p),
    "generalized_cross_entropy q=0.7": lambda p: p**0.7,
    "mae": lambda p: p,
    "poly1 epsilon=2": lambda p: 1 + 2 * p,
    "taylor_cross_entropy t=2": lambda p: 1 - (1 - p) ** 2,
}


@pytest.mark.parametrize("name", PHI)
def test_local_losses_have_their_closed_form(name):
    logits, labels = drawn(200, sharpness=2.0)
    predictions = checked_predictions(logits, labels, kind="logits")
    found = gradients_of(predictions, [loss_of(name)], [predictions.counts])
    p = probabilities(logits)[np.arange(200), labels]
    np.testing.assert_allclose(found.units[0], PHI[name](p), rtol=1e-4)
    np.testing.assert_allclose(found.p, p, atol=1e-12)


def test_shares_add_up_and_are_those_of_the_rows():
    logits, labels = drawn(1000)
    weights = np.random.default_rng(0).uniform(0.5, 2, 1000)
    found = autoloss.diagnose(logits, labels, weights=weights)
    probs = probabilities(logits)
    p = probs[np.arange(1000), labels]
    gradient = weights * (1 - p)
    for parts in (found.signal.tenths, found.class_rows):
        np.testing.assert_allclose(np.sum([one.gradient for one in parts], 0), 1, atol=1e-6)
        assert sum(one.share for one in parts) == pytest.approx(1)
        assert sum(one.rows for one in parts) == 1000
    assert [one.label for one in found.signal.losses] == ["cross_entropy", "brier"]
    low = found.signal.tenths[0]
    assert low.gradient[0] == pytest.approx(gradient[p < 0.1].sum() / gradient.sum(), rel=1e-5)
    one = found.class_rows[2]
    assert one.gradient[0] == pytest.approx(gradient[labels == 2].sum() / gradient.sum(), rel=1e-5)
    assert one.predicted == pytest.approx(weights @ probs[:, 2] / 1000 / weights.mean())
    wrong = probs.argmax(1) != labels
    assert found.error == pytest.approx(weights[wrong].sum() / weights.sum())


def test_the_dead_zone_has_no_gradient_of_a_robust_loss():
    logits, labels = drawn(2000, sharpness=6.0)
    found = autoloss.diagnose(logits, labels, loss="generalized_cross_entropy q=0.9")
    probs = probabilities(logits)
    p = probs[np.arange(2000), labels]
    wrong = probs.argmax(1) != labels
    expected = (p[wrong] ** 0.9 < DEAD).mean()
    assert expected > 0.2
    assert found.signal.losses[0].dead == pytest.approx(expected)
    assert found.signal.losses[1].dead == 0.0


def test_a_binary_score_is_the_log_odds_of_class_one():
    chance = np.random.default_rng(0)
    odds = 2 * chance.normal(size=400)
    labels = (chance.random(400) < 1 / (1 + np.exp(-odds))).astype(int)
    one = autoloss.diagnose(odds, labels, loss="focal")
    other = autoloss.diagnose(np.column_stack([-odds / 2, odds / 2]), labels, loss="focal")
    assert one.log_loss == pytest.approx(other.log_loss)
    assert one.signal.tenths[0].gradient == pytest.approx(other.signal.tenths[0].gradient)
    assert one.saturation.concave == pytest.approx(other.saturation.concave)


def test_bits_are_entropies():
    logits, labels = drawn(1000)
    found = autoloss.diagnose(logits, labels)
    share = np.bincount(labels) / 1000
    assert found.bits.prior == pytest.approx(-(share * np.log2(share)).sum())
    assert found.bits.given == pytest.approx(found.log_loss / np.log(2))


def test_gradients_are_averaged_over_training_runs():
    logits, labels = drawn(100)
    predictions = checked_predictions(logits, labels, kind="logits")
    two = checked_predictions(2 * logits, labels, kind="logits")
    both = torch.stack([predictions.logits[0], two.logits[0]])
    joined = type(predictions)(
        predictions.log_probs, both, predictions.targets, None, predictions.classes, "model"
    )
    spec = [LossSpec("focal")]
    found = gradients_of(joined, spec, [predictions.counts] * 2)
    each = [gradients_of(one, spec, [one.counts]).size for one in (predictions, two)]
    torch.testing.assert_close(found.size, (each[0] + each[1]) / 2)


@pytest.mark.parametrize(
    "text", ["focal gamma=3", "cross_entropy + class_weight power=0.5 start=0", "brier"]
)
def test_a_label_is_read_back_as_its_loss(text):
    spec = loss_of(text)
    assert loss_of(label_of(spec)) == spec
    assert loss_of(spec.to_dict()) == spec


def test_parts_that_need_more_than_logits_are_left_out_and_noted():
    spec = LossSpec("focal", {"mixup.alpha": 0.3}, target="mixup", penalty="confidence")
    shown, left = determined_part(spec)
    assert (shown, set(left)) == (LossSpec("focal"), {"mixup", "confidence"})
    logits, labels = drawn(100)
    assert any("mixup" in note for note in autoloss.diagnose(logits, labels, loss=spec).notes)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        ("foclal", "did you mean 'focal'"),
        ("focal gamma=much", "gamma=much"),
        ("focal gamma=-1", "gamma"),
        ("focal alpha=1", "alpha"),
        ("focal + nothing", "nothing"),
        ("elr", "memory"),
        ("arcface", "cosines"),
        ("", "name a loss"),
    ],
)
def test_a_loss_without_a_determined_gradient_is_refused(loss, message):
    logits, labels = drawn(100)
    with pytest.raises(InputError, match=message):
        autoloss.diagnose(logits, labels, loss=loss)


@pytest.mark.parametrize("name", autoloss.losses.names(task="multiclass"))
def test_every_loss_is_shown_or_refused_in_one_line(name):
    logits, labels = drawn(60)
    predictions = checked_predictions(logits, labels, kind="logits")
    if name in ("elr", "arcface", "am_softmax", "ldam", "l_softmax"):
        with pytest.raises(InputError, match="choose another"):
            determined_part(LossSpec(name))
        return
    found = gradients_of(predictions, [determined_part(LossSpec(name))[0]], [predictions.counts])
    assert bool((found.size > 0).any())
    assert bool(found.size.isfinite().all())
