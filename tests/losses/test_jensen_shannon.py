"""Jensen-Shannon: the divergences of its definition, its slope, and both of its limits."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional
from torch.testing import assert_close

from autoloss import losses

from .cases import draw, draw_labels, slope

jensen_shannon = losses.get("jensen_shannon")
LOGITS, TARGETS = draw(40, 5, scale=2.0), draw_labels(40, n_classes=5)


@pytest.mark.parametrize("pi1", [1e-3, 0.1, 0.5, 0.9, 0.999])
def test_is_the_weighted_divergence_from_the_mixture_scaled(pi1: float):
    probs, label = LOGITS.softmax(-1), functional.one_hot(TARGETS, 5).double()
    log_mixture = (pi1 * label + (1 - pi1) * probs).log()
    of_label, of_probs = (
        functional.kl_div(log_mixture, one, reduction="none").sum(-1) for one in (label, probs)
    )
    expected = (pi1 * of_label + (1 - pi1) * of_probs) / (-(1 - pi1) * math.log(1 - pi1))
    assert_close(jensen_shannon(LOGITS, TARGETS, pi1=pi1), expected)


def test_at_equal_weights_is_twice_the_divergence_of_the_two_in_bits():
    # One of two classes at p = 1/2: H(3/4) - H(1/2) / 2 bits.
    bits = -0.75 * math.log2(0.75) - 0.25 * math.log2(0.25) - 0.5
    found = jensen_shannon(torch.zeros(1, 2), torch.tensor([0]), pi1=0.5)
    assert_close(found, torch.tensor([2 * bits]))


def test_limits_are_cross_entropy_and_the_mean_absolute_error():
    small = jensen_shannon(LOGITS, TARGETS, pi1=1e-9)
    assert_close(small, losses.get("cross_entropy")(LOGITS, TARGETS), atol=1e-6, rtol=1e-6)
    # It goes there as 1 / -log(1 - π) alone.
    large = jensen_shannon(LOGITS, TARGETS, pi1=1 - 1e-15)
    assert_close(large, losses.get("mae")(LOGITS, TARGETS), atol=0.05, rtol=0.2)


@pytest.mark.parametrize("pi1", [1e-12, 0.5, 1 - 1e-12])
def test_is_finite_and_bounded_in_float32(pi1: float):
    logits = torch.tensor([[1e4, -1e4], [-1e4, 1e4], [0.0, 0.0]], requires_grad=True)
    value = jensen_shannon(logits, torch.zeros(3, dtype=torch.int64), pi1=pi1)
    bound = 1 - pi1 * math.log(pi1) / (-(1 - pi1) * math.log1p(-pi1))
    assert (value <= bound * (1 + 1e-5)).all()
    assert slope(value, logits).isfinite().all()
