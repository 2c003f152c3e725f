"""The surface of two losses: the numbers of small networks, and the whole Hessian as an oracle."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from autoloss.diagnosis.curvature import DENSE, along, extremes, hessian_product
from autoloss.diagnosis.surface import (
    cross_entropy,
    filter_normalised,
    gauss_newton,
    squared_error,
    surface_of,
)
from autoloss.records.surface import Surface


def surface(logits, weights: Tensor, targets: Tensor, **more) -> Surface:
    given = {"filters": [(len(weights),)], "rows": len(targets), "loss_label": "ce", "seed": 0}
    return surface_of(logits, weights.double(), targets, **{**given, **more})


def positive(z: Tensor) -> Tensor:
    """Return log odds as logits of two classes."""
    return torch.stack([torch.zeros_like(z), z], -1)


def test_squared_error_has_two_minima_where_cross_entropy_has_one() -> None:
    x, y = torch.tensor([0.2, 0.5, 10.0]).double(), torch.tensor([0, 1, 0])

    def losses(w: float) -> tuple[float, float]:
        logits = positive(w * x)
        # The squares of both classes are equal: twice the half of one.
        return float(cross_entropy(logits, y)), 2 * float(squared_error(logits, y))

    at = np.arange(-2.0, 3.0, 0.001)
    values = np.array([losses(w) for w in at])
    lowest = [at[1:-1][(own[1:-1] < own[:-2]) & (own[1:-1] < own[2:])] for own in values.T]
    assert lowest[0] == pytest.approx([-0.401], abs=1e-3)
    assert lowest[1] == pytest.approx([-0.263, 1.866], abs=1e-3)
    assert losses(lowest[0][0])[0] == pytest.approx(0.49008, abs=1e-5)
    assert [losses(w)[1] for w in lowest[1]] == pytest.approx([0.17515, 0.47682], abs=1e-5)


@pytest.mark.parametrize(
    ("z", "curvature"), [(-math.log(2), 0.0), (-2, -0.0594071), (-3, -0.0369113)]
)
def test_squared_error_is_concave_where_the_true_class_is_unlikely(z, curvature) -> None:
    weight = torch.tensor([float(z)]).double()
    one = torch.tensor([1])

    def losses(loss):
        return lambda w: loss(positive(w), one)

    own = [
        float(hessian_product(losses(f), weight, torch.ones(1).double()))
        for f in (cross_entropy, squared_error)
    ]
    a = 1 / (1 + math.exp(-z))
    assert own == pytest.approx([a * (1 - a), curvature], abs=2e-7)
    fisher = gauss_newton(positive(weight), positive(torch.ones(1).double()))
    assert fisher == pytest.approx((a * (1 - a), (a * (1 - a)) ** 2))


def test_the_hessian_of_logits_is_the_fisher_information() -> None:
    z = torch.tensor([2.0, 1.0, 0.1]).double()
    eigenvalues = [0.369309, 0.127919]
    for label in range(3):
        found = surface(lambda w: w[None], z, torch.tensor([label]))
        assert found.largest[0] == pytest.approx(eigenvalues[0], abs=5e-7)
        assert found.smallest[0] == pytest.approx(0.0, abs=1e-8)
        assert [one.direction for one in found.slices] == ["leading"] * 2 + ["random"] * 2
        for one in found.slices:
            assert one.gauss_newton[0] == pytest.approx(one.curvature[0])
        leading = [one.curvature[0] for one in found.slices[:2]]
        assert leading == pytest.approx(eigenvalues, abs=5e-7)


def network(hidden: int = 8) -> tuple:
    """Return the logits of a small network, its weights, targets and shapes."""
    random = torch.Generator().manual_seed(1)
    x = torch.randn(60, 4, generator=random).double()
    y = torch.randint(0, 3, (60,), generator=random)
    shapes = [(hidden, 4), (hidden,), (3, hidden), (3,)]
    sizes = [math.prod(shape) for shape in shapes]
    weights = torch.randn(sum(sizes), generator=random).double()

    def logits(w: Tensor) -> Tensor:
        a, b, c, d = (part.view(shape) for part, shape in zip(w.split(sizes), shapes, strict=True))
        return (x @ a.T + b).tanh() @ c.T + d

    return logits, weights, y, shapes


def test_lanczos_finds_the_ends_of_the_whole_spectrum() -> None:
    logits, weights, y, _ = network(hidden=20)
    assert len(weights) > DENSE
    for loss in (cross_entropy, squared_error):
        whole = torch.autograd.functional.hessian(lambda w, loss=loss: loss(logits(w), y), weights)
        values, vectors = torch.linalg.eigh(whole)
        found = extremes(lambda w, loss=loss: loss(logits(w), y), weights, count=2, seed=0)
        assert found.largest == pytest.approx(values[-2:].flip(0).numpy(), rel=1e-3)
        assert found.smallest == pytest.approx(float(values[0]), rel=1e-2)
        assert abs(float(found.vectors[0] @ vectors[:, -1])) == pytest.approx(1.0, abs=1e-3)


def test_a_slice_is_the_loss_along_its_line_and_its_curvature_the_second_difference() -> None:
    logits, weights, y, shapes = network()
    found = surface(logits, weights, y, filters=shapes)
    assert found.weights == len(weights)
    middle = len(found.steps) // 2
    assert found.steps[middle] == 0.0
    for one in found.slices:
        assert one.cross_entropy[middle] == pytest.approx(float(cross_entropy(logits(weights), y)))
        assert one.squared[middle] == pytest.approx(float(squared_error(logits(weights), y)))
    drawn = torch.Generator().manual_seed(0)
    direction = filter_normalised(weights, shapes, drawn)
    unit, h = direction / direction.norm(), 1e-4
    for place, loss in enumerate((cross_entropy, squared_error)):
        ends = [float(loss(logits(weights + step * unit), y)) for step in (-h, 0, h)]
        second = (ends[0] - 2 * ends[1] + ends[2]) / h**2
        assert found.slices[2].curvature[place] == pytest.approx(second, rel=1e-4, abs=1e-6)
    far = float(cross_entropy(logits(weights + direction), y))
    assert found.slices[2].cross_entropy[-1] == pytest.approx(far)
    # The Gauss-Newton part lacks the curvature of the network.
    assert all(min(one.gauss_newton) >= 0 for one in found.slices)
    assert found.concavity[0] > 0


def test_a_direction_keeps_the_norm_of_each_unit_and_leaves_biases() -> None:
    _, weights, _, shapes = network()
    moved = filter_normalised(weights, shapes, torch.Generator().manual_seed(3))
    a, own = moved[:32].view(8, 4), weights[:32].view(8, 4)
    assert a.norm(dim=1).tolist() == pytest.approx(own.norm(dim=1).tolist())
    assert not moved[32:40].any()
    assert not moved[-3:].any()


def test_a_linear_model_is_convex_in_cross_entropy_alone() -> None:
    random = torch.Generator().manual_seed(0)
    x = torch.randn(50, 3, generator=random).double()
    y = torch.randint(0, 2, (50,), generator=random)
    found = surface(lambda w: positive(x @ w), 4 * torch.ones(3), y)
    assert found.concavity[0] < 1e-6
    assert found.concavity[1] > 0.0
    assert all(one.concave[0] == 0.0 for one in found.slices)
    assert any(one.concave[1] > 0.0 for one in found.slices)
    one = torch.ones(2).double()
    assert along(lambda w: w.square().sum(), one, [one]) == pytest.approx([2.0])
