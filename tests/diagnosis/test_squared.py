"""Squared error in closed form, against values computed by hand elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import brentq

from autoloss.diagnosis.squared import saturation_of, slopes_of


def binary(log_odds, label: int = 1):
    """Return the slopes at log odds of class 1."""
    a = torch.as_tensor(log_odds, dtype=torch.float64).reshape(-1).sigmoid()
    probs = torch.stack([1 - a, a], -1)
    return slopes_of(probs, torch.full((len(a),), label)), a


@pytest.mark.parametrize(
    ("log_odds", "ratio"), [(-2.0, 9.524), (-5.0, 150.420), (-8.0, 2982.958), (-10.0, 22028.466)]
)
def test_a_confident_mistake_gets_thousands_of_times_less_from_squared_error(log_odds, ratio):
    found, a = binary(log_odds)
    assert found.ratio.item() == pytest.approx(ratio, abs=5e-4)
    assert found.cross_entropy.item() == pytest.approx(float(a - 1))
    assert found.squared.item() == pytest.approx(float((a - 1) * a * (1 - a)))


def test_at_a_thousandth_the_ratio_is_a_thousand_and_one():
    found, _ = binary(np.log(0.001 / 0.999))
    assert found.ratio.item() == pytest.approx(1001.001, abs=5e-4)


def test_slopes_behind_a_softmax_and_their_ratio():
    found = slopes_of(torch.tensor([[0.01, 0.98, 0.01]]).double(), torch.tensor([0]))
    assert found.cross_entropy.item() == pytest.approx(-0.99)
    assert found.squared.item() == pytest.approx(-0.038812, abs=5e-7)
    assert found.ratio.item() == pytest.approx(25.5076, abs=5e-5)


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_slopes_equal_those_of_torch(classes):
    torch.manual_seed(0)
    logits = 2 * torch.randn(50, classes, dtype=torch.float64)
    labels = torch.randint(classes, (50,))
    found = slopes_of(logits.softmax(-1), labels)

    def squared(z, y):
        p = z.softmax(-1)
        if classes == 2:
            # Half a square of one sigmoid, whose logit is the log odds.
            return 0.5 * (p[y] - 1) ** 2
        return (p - torch.nn.functional.one_hot(y, classes)).square().sum()

    for z, y, first, second in zip(logits, labels, found.squared, found.curvature, strict=True):
        # With two classes a step of the true logit is a step of the log odds.
        slope = torch.autograd.functional.jacobian(lambda z: squared(z, y), z)[y]  # noqa: B023
        bend = torch.autograd.functional.hessian(lambda z: squared(z, y), z)[y, y]  # noqa: B023
        assert first.item() == pytest.approx(slope.item(), abs=1e-12)
        assert second.item() == pytest.approx(bend.item(), abs=1e-12)


def test_curvature_is_negative_below_a_third():
    found, _ = binary([-np.log(2.0), -2.0, -3.0])
    np.testing.assert_allclose(found.curvature, [0, -0.0594071, -0.0369113], atol=5e-8)
    grid, a = binary(torch.linspace(-12, 12, 4801))
    assert grid.squared.abs().max().item() == pytest.approx(4 / 27, abs=1e-6)
    assert bool(((grid.curvature < 0) == (a < 1 / 3)).all())


def test_squared_error_of_a_linear_model_has_two_minima_and_cross_entropy_one():
    x, labels = np.array([0.2, 0.5, 10.0]), (0, 1, 0)

    def slope(w: float, name: str) -> float:
        total = 0.0
        for value, label in zip(x, labels, strict=True):
            found, _ = binary(w * value, label)
            # The slopes are on the log odds of the true class.
            total += (1 if label else -1) * value * getattr(found, name).item()
        return total / 3

    assert brentq(slope, -0.6, 0.0, args=("squared",)) == pytest.approx(-0.263, abs=5e-4)
    assert brentq(slope, 1.0, 3.0, args=("squared",)) == pytest.approx(1.866, abs=5e-4)
    assert brentq(slope, -3.0, 5.0, args=("cross_entropy",)) == pytest.approx(-0.401, abs=5e-4)
    signs = np.sign([slope(w, "cross_entropy") for w in np.linspace(-3, 5, 200)])
    assert (np.diff(signs) != 0).sum() == 1


def test_curvature_of_cross_entropy_is_fishers_and_vanishes_too():
    z = torch.tensor([2.0, 1.0, 0.1], dtype=torch.float64)
    bend = torch.autograd.functional.hessian(lambda z: -z.log_softmax(-1)[0], z)
    eigenvalues = torch.linalg.eigvalsh(bend)
    np.testing.assert_allclose(eigenvalues, [0, 0.127919, 0.369309], atol=5e-7)
    p = z.softmax(-1)
    np.testing.assert_allclose(bend.diagonal(), p * (1 - p), atol=1e-12)

    slopes, a = binary([np.log(0.001 / 0.999)])
    found = saturation_of(slopes, a, torch.tensor([True]), torch.ones(1).double(), n_classes=2)
    assert found.curvature == pytest.approx((9.99e-4, 9.98e-7), rel=1e-3)
    assert found.gradient[0] == pytest.approx(0.999)
    assert found.saturated_wrong == found.concave_wrong == 1.0
