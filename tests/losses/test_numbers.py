"""Exact numbers that a right implementation reproduces."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from autoloss import losses
from autoloss.losses import LossSpec, Objective

from .cases import slope

cross_entropy, brier, focal = (losses.get(name) for name in ("cross_entropy", "brier", "focal"))


def double(values) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def gradient(loss, logits, target: int, **parameters) -> Tensor:
    """Return the gradient of one example's loss."""
    at = double(logits)[None].requires_grad_()
    return slope(loss(at, torch.tensor([target]), **parameters), at)[0]


def objective(n_classes: int | None = None, counts=None, **settings) -> Objective:
    """Return a single cross-entropy with something around it, in float64."""
    spec = LossSpec.from_dict({"base": "cross_entropy", **settings})
    return Objective(
        [spec], torch.ones(n_classes) if counts is None else counts, dtype=torch.float64
    )


@pytest.mark.parametrize(
    ("z", "ratio"), [(-2, 9.524), (-5, 150.420), (-8, 2982.958), (-10, 22028.466)]
)
def test_sigmoid_squared_error_starves_a_missed_example(z: float, ratio: float):
    # Half the squared error of one sigmoid is a quarter of the sum over two classes.
    entropy = gradient(cross_entropy, [0.0, z], 1)[1]
    square = gradient(brier, [0.0, z], 1)[1] / 4
    share = torch.sigmoid(double(z))
    assert entropy.item() == pytest.approx((share - 1).item())
    assert square.item() == pytest.approx(((share - 1) * share * (1 - share)).item())
    assert (entropy / square).item() == pytest.approx(ratio, abs=6e-4)


def test_gradients_of_a_missed_example():
    logits = double([0.01, 0.98, 0.01]).log().tolist()
    entropy, square = gradient(cross_entropy, logits, 0), gradient(brier, logits, 0)
    assert_close(entropy, double([-0.99, 0.98, 0.01]))
    assert_close(square, double([-0.038812, 0.057624, -0.018812]), atol=1e-9, rtol=0)
    assert (entropy[0] / square[0]).item() == pytest.approx(25.5076, abs=5e-5)
    # The slope of p_y alone would give about half.
    assert square[0].item() / -0.019602 == pytest.approx(1.98, abs=1e-3)


@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_brier_gradient_is_one_to_two_times_that_of_the_true_probability(n_classes: int):
    generator = torch.Generator().manual_seed(n_classes)
    for _ in range(20):
        logits = torch.randn(n_classes, generator=generator, dtype=torch.float64) * 2
        p = logits.softmax(-1)[0].item()
        ratio = gradient(brier, logits.tolist(), 0)[0].item() / (-2 * p * (1 - p) ** 2)
        assert 1 + 1 / (n_classes - 1) - 1e-9 <= ratio <= 2 + 1e-9


def test_cross_entropy_of_three_logits():
    logits = [2.0, 1.0, 0.1]
    assert_close(
        double(logits).softmax(-1), double([0.659001, 0.242433, 0.098566]), atol=5e-7, rtol=0
    )
    value = cross_entropy(double([logits]), torch.tensor([0]))
    assert value.item() == pytest.approx(0.417030, abs=5e-7)
    expected = double([-0.340999, 0.242433, 0.098566])
    assert_close(gradient(cross_entropy, logits, 0), expected, atol=5e-7, rtol=0)


@pytest.mark.parametrize(
    ("n_classes", "epsilon", "entropy", "perplexity"),
    [
        (10, 0.1, 0.500288, 1.649196),
        # epsilon spread over the wrong classes alone is epsilon * C / (C - 1) in our convention.
        (10, 0.1 * 10 / 9, 0.544805, 1.724273),
        (3, 0.1, 0.291140, 1.337952),
    ],
)
def test_optimum_of_label_smoothing(n_classes, epsilon, entropy, perplexity):
    loss = objective(n_classes, target="smoothing", **{"smoothing.epsilon": epsilon})
    best = torch.full((n_classes,), epsilon / n_classes, dtype=torch.float64)
    best[0] += 1 - epsilon
    logits = best.log()[None, None].requires_grad_()
    value = loss(logits, torch.tensor([0]))
    assert value.item() == pytest.approx(entropy, abs=5e-7)
    assert math.exp(value.item()) == pytest.approx(perplexity, abs=5e-6)
    assert slope(value, logits).abs().max() < 1e-12


def test_logit_gap_at_the_optimum_of_label_smoothing():
    loss = objective(10, target="smoothing", **{"smoothing.epsilon": 0.1})
    logits = torch.zeros(1, 1, 10, dtype=torch.float64)
    logits[..., 0] = math.log(91)
    assert math.log(91) == pytest.approx(4.510860, abs=5e-7)
    logits.requires_grad_()
    assert slope(loss(logits, torch.tensor([0])), logits).abs().max() < 1e-12


def test_label_smoothing_pushes_down_what_is_above_its_target():
    loss = objective(4, target="smoothing", **{"smoothing.epsilon": 0.1})
    logits = double([[[3.0, 0.0, -2.0, -6.0]]]).requires_grad_()
    found = slope(loss(logits, torch.tensor([0])), logits)[0, 0]
    assert_close(found, double([0.0214, 0.0221, -0.0186, -0.0249]), atol=5e-5, rtol=0)


@pytest.mark.parametrize(
    ("shares", "posterior", "found"),
    [
        ((0.9, 0.1), (0.6, 0.4), (0.142857, 0.857143)),
        ((0.7, 0.2, 0.1), (0.5, 0.3, 0.2), (0.169492, 0.355932, 0.474576)),
    ],
)
def test_optimum_of_weighted_cross_entropy(shares, posterior, found):
    counts = double(shares) * 1000
    loss = objective(counts=counts, prior="class_weight", **{"class_weight.power": 1.0})
    logits = double(found).log()[None, None].requires_grad_()
    value = loss(logits, double(posterior)[None])
    assert slope(value, logits).abs().max() < 1e-5
    read = loss.log_links(logits)[0, 0].exp()
    assert_close(read, double(posterior), atol=5e-6, rtol=0)


@pytest.mark.parametrize(
    ("p", "factor"), [(0.5, 0.25), (0.9, 0.01), (0.968, 0.001024), (0.1, 0.81)]
)
def test_focal_factor(p: float, factor: float):
    logits, target = double([[p, 1 - p]]).log(), torch.tensor([0])
    ratio = focal(logits, target, gamma=2.0) / cross_entropy(logits, target)
    assert ratio.item() == pytest.approx(factor, rel=1e-9)


@pytest.mark.parametrize(
    ("gamma", "crossing", "largest"),
    [(1, 0.367879, 1.1353), (2, 0.297637, 1.2246), (3, 0.252584, 1.2923), (5, 0.196803, 1.3936)],
)
def test_focal_gradient_exceeds_that_of_cross_entropy_on_hard_examples(gamma, crossing, largest):
    def ratio(p: Tensor) -> Tensor:
        at = torch.stack([p, 1 - p], -1).log().requires_grad_()
        found = slope(focal(at, torch.zeros(len(p), dtype=torch.int64), gamma=gamma), at)[:, 0]
        return found / (p - 1)

    assert ratio(double([crossing])).item() == pytest.approx(1.0, abs=1e-5)
    assert ratio(torch.linspace(0.001, 0.999, 5000).double()).max().item() == pytest.approx(
        largest, abs=6e-5
    )


@pytest.mark.parametrize(
    ("name", "setting", "p", "meant", "accuracy"),
    [
        ("focal", {"gamma": 2.0}, 0.9, 0.9974, 5e-5),
        ("focal", {"gamma": 3.0}, 0.8, 0.9935, 5e-5),
        ("generalized_cross_entropy", {"q": 0.7}, 0.99, 0.7988, 5e-5),
        ("sm_softmax", {"m": 10.5}, 0.99, 0.5007, 5e-5),
    ],
)
def test_what_a_softmax_probability_means(name, setting, p, meant, accuracy):
    read = losses.get(name).readout(double([p, 1 - p]).log(), **setting).exp()
    assert read[0].item() == pytest.approx(meant, abs=accuracy)


@pytest.mark.parametrize(("ratio", "threshold"), [(10.0, 0.090909), (5.0, 0.166667)])
def test_class_weights_move_the_threshold(ratio: float, threshold: float):
    # Weights w : 1 on the positives are the threshold 1 / (1 + w): never both.
    counts = double([ratio * 10, 10.0])
    loss = objective(counts=counts, prior="class_weight", **{"class_weight.power": 1.0})
    undecided = torch.zeros(1, 1, 2, dtype=torch.float64)
    assert loss.log_links(undecided)[0, 0, 1].exp().item() == pytest.approx(threshold, abs=5e-7)


@pytest.mark.parametrize(
    ("z", "curvature"), [(-math.log(2), 0.0), (-2.0, -0.0594071), (-3.0, -0.0369113)]
)
def test_squared_error_is_not_convex_in_the_logit(z: float, curvature: float):
    def half_square(x: Tensor) -> Tensor:
        return brier(torch.stack([torch.zeros_like(x), x])[None], torch.tensor([1]))[0] / 4

    hessian = torch.autograd.functional.hessian(half_square, double(z))
    assert hessian.item() == pytest.approx(curvature, abs=5e-8)


def test_largest_gradient_of_the_squared_error():
    z = torch.linspace(-6, 6, 20001, dtype=torch.float64)
    logits = torch.stack([torch.zeros_like(z), z], -1).requires_grad_()
    found = slope(brier(logits, torch.ones(len(z), dtype=torch.int64)), logits)[:, 1] / 4
    assert found.abs().max().item() == pytest.approx(4 / 27, abs=1e-7)


@pytest.mark.parametrize(
    ("loss", "w", "value"),
    [(brier, -0.263, 0.17515), (brier, 1.866, 0.47682), (cross_entropy, -0.401, 0.49008)],
    ids=["brier-low", "brier-high", "cross_entropy"],
)
def test_squared_error_of_a_linear_model_has_two_minima(loss, w: float, value: float):
    x, targets = double([0.2, 0.5, 10.0]), torch.tensor([0, 1, 0])
    times = 0.5 if loss is brier else 1.0

    def mean(weight: float) -> float:
        logits = torch.stack([torch.zeros(3, dtype=torch.float64), weight * x], -1)
        return times * loss(logits, targets).mean().item()

    assert mean(w) == pytest.approx(value, abs=1e-5)
    assert mean(w) < min(mean(w - 0.01), mean(w + 0.01))


def test_hessian_of_cross_entropy_is_the_covariance_of_the_label():
    logits = double([2.0, 1.0, 0.1])
    p = logits.softmax(-1)
    for target in range(3):
        hessian = torch.autograd.functional.hessian(
            lambda z, y=target: cross_entropy(z[None], torch.tensor([y]))[0], logits
        )
        assert_close(hessian, p.diag() - p.outer(p))
    found = torch.linalg.eigvalsh(hessian)
    assert_close(found, double([0.0, 0.127919, 0.369309]), atol=5e-7, rtol=0)
    # The true label's gradient squared is another matrix: the empirical Fisher information.
    assert_close(
        gradient(cross_entropy, logits.tolist(), 2).square(),
        double([0.4343, 0.0588, 0.8126]),
        atol=5e-5,
        rtol=0,
    )


def test_brier_looks_at_the_other_classes_too():
    even, uneven = double([[0.8, 0.1, 0.1]]).log(), double([[0.8, 0.15, 0.05]]).log()
    target = torch.tensor([0])
    assert brier(even, target).item() == pytest.approx(0.06)
    assert brier(uneven, target).item() == pytest.approx(0.065)
    for logits in (even, uneven):
        assert cross_entropy(logits, target).item() == pytest.approx(0.223144, abs=5e-7)


@pytest.mark.parametrize(
    ("name", "setting", "scales"),
    [
        ("focal", {"gamma": 2.0}, (0.60, 1.22, 1.07)),
        ("generalized_cross_entropy", {"q": 0.7}, (0.62, 0.20, 0.040)),
        ("poly1", {"epsilon": 2.0}, (2.0, 1.2, 1.02)),
        ("brier", {}, (1.0, 0.20, 0.020)),
        ("cross_entropy", {}, (1.0, 1.0, 1.0)),
    ],
)
def test_gradient_scale_at_the_start(name: str, setting, scales):
    for n_classes, scale in zip((2, 10, 100), scales, strict=True):
        found = losses.get(name).gradient_scale(n_classes, **setting)
        assert found == pytest.approx(scale, abs=0.0051 if scale > 0.1 else 5.1e-4)


def test_symmetric_cross_entropy_is_poly1():
    # alpha CE + beta RCE, where log 0 is put as log 1e-4.
    alpha, beta, lowest = 0.1, 1.0, -math.log(1e-4)
    logits, targets = double([[2.0, 1.0, 0.1], [0.0, 3.0, -1.0]]), torch.tensor([1, 0])
    p = logits.softmax(-1)[torch.arange(2), targets]
    symmetric = -alpha * p.log() + beta * lowest * (1 - p)
    ours = alpha * losses.get("poly1")(logits, targets, epsilon=lowest * beta / alpha)
    assert_close(ours, symmetric)
    scale = alpha * losses.get("poly1").gradient_scale(2, epsilon=lowest * beta / alpha)
    assert scale == pytest.approx(4.71, abs=0.006)
