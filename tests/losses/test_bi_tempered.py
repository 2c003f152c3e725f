"""The tempered softmax and its implicit gradient."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from autoloss.losses.bases.bi_tempered import log_tempered_softmax

from .cases import draw, slope

TEMPERATURES = [1.0, 1.0 + 1e-9, 1.0001, 1.2, 1.5, 2.0, 3.0, 4.0]


def tempered(logits, t2: float):
    return log_tempered_softmax(logits, t2=torch.tensor([t2], dtype=logits.dtype))


@pytest.mark.parametrize("t2", TEMPERATURES)
@pytest.mark.parametrize("n_classes", [2, 3, 10, 100, 1000])
def test_tempered_softmax_sums_to_one(t2: float, n_classes: int):
    for scale in (0.0, 0.1, 1.0, 3.0, 10.0, 100.0, 1e4):
        total = tempered(draw(50, n_classes, scale=scale), t2).exp().sum(-1)
        assert (total - 1).abs().max() < 1e-10


@pytest.mark.parametrize("t2", TEMPERATURES)
def test_tempered_softmax_sums_to_one_in_float32(t2: float):
    total = tempered(draw(200, 10, scale=5.0).float(), t2).exp().sum(-1)
    assert (total - 1).abs().max() < 2e-5


def test_temperature_one_is_the_softmax():
    logits = draw(20, 6, scale=5.0).requires_grad_()
    ours, expected = tempered(logits, 1.0), logits.log_softmax(-1)
    assert_close(ours, expected, atol=1e-12, rtol=1e-12)
    weights = draw(20, 6, seed=7)
    assert_close(slope(ours * weights, logits), slope(expected * weights, logits))


@pytest.mark.parametrize("t2", [1.0001, 1.3, 2.0, 4.0])
def test_probabilities_are_tempered_exponentials(t2: float):
    # exp_t(x) = (1 + (1-t) x)^(1/(1-t)), so q^(1-t) is a straight line in the logit.
    logits = draw(5, 4)
    probs = tempered(logits, t2).exp()
    straight = (probs ** (1 - t2) - 1) / (1 - t2)
    lowered_by = logits - straight
    assert_close(lowered_by, lowered_by[:, :1].expand(5, 4), atol=1e-8, rtol=1e-8)


@pytest.mark.parametrize("t2", [1.0, 1.2, 2.0, 4.0])
def test_implicit_gradient_is_the_numerical_one(t2: float):
    logits = draw(4, 5, scale=2.0).requires_grad_()
    assert torch.autograd.gradcheck(lambda z: tempered(z, t2), logits)


def test_each_candidate_has_its_own_temperature():
    logits = draw(3, 3, 3)
    t2 = torch.tensor([1.0, 1.3, 2.0], dtype=torch.float64)[:, None, None]
    together = log_tempered_softmax(logits, t2=t2)
    alone = [tempered(logits[k], t2[k].item()) for k in range(3)]
    assert_close(together, torch.stack(alone))
