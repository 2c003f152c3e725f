"""The contract that every loss meets, run over all that are discovered."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from autoloss import losses
from autoloss.losses import Loss
from autoloss.task import ALL_TASKS

from .cases import (
    ALL,
    context_for,
    draw,
    draw_labels,
    each,
    label,
    logits_for,
    settings,
    slope,
    with_limits,
)

EVERY_SETTING = pytest.mark.parametrize(("loss", "setting"), each(with_limits), ids=label)
EVERY_LOSS = pytest.mark.parametrize("loss", ALL, ids=label)


@EVERY_LOSS
def test_declaration_is_complete(loss: Loss):
    assert loss.source
    assert loss.use.endswith(".")
    assert loss.family != "own"
    assert "``L = " in loss.doc
    assert loss.summary.endswith(".")
    assert "Shape:" in loss.doc
    assert ">>>" in loss.doc
    assert set(loss.tasks) <= set(ALL_TASKS)
    for name, parameter in loss.parameters.items():
        assert parameter.mistake(name, parameter.default) is None


@EVERY_SETTING
def test_one_value_per_example(loss: Loss, setting):
    logits, targets = draw(6, 4), draw_labels(6, n_classes=4)
    together = loss(logits, targets, **setting)
    assert together.shape == (6,)
    alone = [loss(logits[i : i + 1], targets[i : i + 1], **setting) for i in range(6)]
    assert_close(together, torch.cat(alone), atol=1e-14, rtol=1e-14)


@EVERY_LOSS
@pytest.mark.parametrize("soft", [False, True], ids=["hard", "soft"])
def test_stacked_equals_plain(loss: Loss, soft: bool):
    rows = settings(loss)[:4] * 4
    rows = rows[:4]
    logits = draw(4, 4, 4, scale=2.0)
    targets = draw(4, 4, 4, seed=2).softmax(-1) if soft else draw_labels(4, 4, n_classes=4)
    columns = {
        name: torch.tensor([[row[name]] for row in rows], dtype=torch.float64)
        for name in loss.parameters
    }
    stacked = loss(logits, targets, **columns)
    plain = [loss(logits[k], targets[k], **row) for k, row in enumerate(rows)]
    assert_close(stacked, torch.stack(plain), atol=1e-13, rtol=1e-13)


@EVERY_LOSS
def test_candidates_do_not_see_each_other(loss: Loss):
    # K == B == C, where a broadcast over the wrong axis would stay silent.
    k = 3
    setting = {
        name: torch.full((k, 1), float(parameter.default), dtype=torch.float64)
        for name, parameter in loss.parameters.items()
    }
    logits, targets = draw(k, k, k).requires_grad_(), draw_labels(k, k, n_classes=k)
    for row in range(k):
        for example in range(k):
            value = loss(logits, targets, **setting)[row, example]
            touched = slope(value, logits).abs().sum(-1)
            touched[row, example] = 0.0
            assert touched.max() == 0.0


@EVERY_SETTING
@pytest.mark.parametrize("scale", [0.0, 1.0, 1000.0, 10000.0])
def test_finite_in_float32(loss: Loss, setting, scale: float):
    # Every class is the label once, so that learnt and missed examples are among them, and a
    # margin of exactly 1e4, where p is 0 or 1 to the last digit.
    random = draw(3, 4, seed=4).clamp(-1, 1)
    sharp = torch.eye(4, dtype=torch.float64)[:3]
    logits = (torch.cat([random, sharp, -sharp]).float() * scale).repeat_interleave(4, 0)
    logits.requires_grad_()
    hard = torch.arange(4).repeat(9)
    soft = torch.nn.functional.one_hot(hard, 4).float() * 0.9 + 0.025
    for targets in (hard, soft):
        value = loss(logits, targets, **setting)
        assert value.isfinite().all()
        assert value.dtype == torch.float32
        assert slope(value, logits).isfinite().all()
    assert loss.readout(logits.detach(), **setting).isfinite().all()


@EVERY_SETTING
def test_gradcheck(loss: Loss, setting):
    logits, targets = draw(5, 3, scale=1.5).requires_grad_(), draw_labels(5, n_classes=3)
    probs = draw(5, 3, seed=3).softmax(-1)
    assert torch.autograd.gradcheck(lambda z: loss(z, targets, **setting), logits)
    assert torch.autograd.gradcheck(lambda z: loss(z, probs, **setting), logits)


SPECIAL = [(loss, special) for loss in ALL for special in loss.special]


@pytest.mark.parametrize(
    ("loss", "special"), SPECIAL, ids=[f"{a.name}-is-{b.equals}" for a, b in SPECIAL]
)
def test_special_case_equals(loss: Loss, special):
    logits, targets = draw(8, 5, scale=2.0).requires_grad_(), draw_labels(8, n_classes=5)
    free = settings(loss)[0]
    ours = loss(logits, targets, **{**free, **special.at})
    theirs = special.times * losses.get(special.equals)(logits, targets, **special.using)
    assert_close(ours, theirs, atol=1e-12, rtol=1e-12)
    assert_close(slope(ours, logits), slope(theirs, logits), atol=1e-12, rtol=1e-12)


@EVERY_SETTING
@pytest.mark.parametrize("scale", [0.0, 1.0])
def test_permuting_the_classes_permutes_the_gradient(loss: Loss, setting, scale: float):
    logits, targets = draw(6, 4, scale=scale).requires_grad_(), draw_labels(6, n_classes=4)
    order = torch.tensor([2, 0, 3, 1])
    moved = logits.detach()[:, order].requires_grad_()
    gradient = slope(loss(logits, targets, **setting), logits)
    gradient_moved = slope(loss(moved, order.argsort()[targets], **setting), moved)
    assert_close(gradient_moved, gradient[:, order], atol=1e-12, rtol=1e-12)


@EVERY_SETTING
def test_soft_targets_are_the_expectation_over_hard_ones(loss: Loss, setting):
    logits, probs = draw(6, 4, scale=2.0), draw(6, 4, seed=3).softmax(-1)
    hard = [loss(logits, torch.full((6,), c), **setting) for c in range(4)]
    expected = (probs * torch.stack(hard, -1)).sum(-1)
    assert_close(loss(logits, probs, **setting), expected, atol=1e-13, rtol=1e-13)


@EVERY_SETTING
def test_one_hot_probabilities_are_hard_targets(loss: Loss, setting):
    logits, targets = draw(6, 3, scale=3.0), draw_labels(6, n_classes=3)
    one_hot = torch.nn.functional.one_hot(targets, 3).double()
    assert_close(loss(logits, one_hot, **setting), loss(logits, targets, **setting))


@EVERY_SETTING
def test_gradient_scale_is_that_of_equal_logits(loss: Loss, setting):
    # Twice the true logit's gradient at C = 2, where cross-entropy's is -1/2.
    logits = torch.zeros(1, 2, dtype=torch.float64, requires_grad=True)
    gradient = slope(loss(logits, torch.tensor([1]), **setting), logits)
    assert loss.gradient_scale(2, **setting) == pytest.approx(-2.0 * gradient[0, 1].item())
    assert loss.gradient_scale(2, **setting) > 0.0
