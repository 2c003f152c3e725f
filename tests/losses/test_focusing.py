"""Dual focal, inverse focal, FLSD-53 and the asymmetric loss."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.optimize import minimize_scalar
from torch import Tensor
from torch.testing import assert_close

from autoloss import losses
from autoloss.core.errors import InputError
from autoloss.losses import null_vector
from autoloss.losses.labels import EVERY

from .cases import draw, draw_labels, slope

asymmetric, cross_entropy, dual_focal, flsd53, focal, inverse_focal = (
    losses.get(name)
    for name in (
        "asymmetric",
        "cross_entropy",
        "dual_focal",
        "flsd53",
        "focal",
        "inverse_focal",
    )
)
P = torch.linspace(0.001, 0.999, 200, dtype=torch.float64)


def double(values) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def pair(z: Tensor) -> Tensor:
    """Return the logits of no and yes."""
    return torch.stack([torch.zeros_like(z), z], -1)


def weight(loss, p: Tensor, **parameters) -> Tensor:
    """Return the gradient on the true logit in units of cross-entropy's, from autograd."""
    at = torch.stack([p, 1 - p], -1).log().requires_grad_()
    return slope(loss(at, torch.zeros(len(p), dtype=torch.int64), **parameters), at)[:, 0] / (
        p - 1
    )


# Dual focal loss


def dual_focal_slowly(logits: Tensor, targets: Tensor, gamma: float) -> Tensor:
    """Return dual focal loss by a loop over examples and classes."""
    values = []
    for row, target in zip(logits.softmax(-1), targets.tolist(), strict=True):
        lower = [p for p in row.tolist() if p < row[target].item()]
        p, next_p = row[target].item(), max(lower, default=0.0)
        values.append(-((1 - p + next_p) ** gamma) * math.log(p))
    return double(values)


@pytest.mark.parametrize("n_classes", [2, 3, 7, 40])
@pytest.mark.parametrize("gamma", [0.5, 1.0, 5.0])
def test_dual_focal_is_the_loop(n_classes: int, gamma: float):
    logits, targets = draw(30, n_classes, scale=2.0), draw_labels(30, n_classes=n_classes)
    expected = dual_focal_slowly(logits, targets, gamma)
    assert_close(dual_focal(logits, targets, gamma=gamma), expected)
    every = torch.stack(
        [dual_focal_slowly(logits, torch.full((30,), c), gamma) for c in range(n_classes)], -1
    )
    probs = draw(30, n_classes, seed=3).softmax(-1)
    assert_close(dual_focal(logits, probs, gamma=gamma), (probs * every).sum(-1))


TIED = double(
    [
        [1.0, 1.0, 1.0, 1.0],
        [2.0, 1.0, 1.0, 1.0],
        [2.0, 2.0, 1.0, 0.0],
        [0.0, 1.0, 1.0, 2.0],
        [0.0, 0.0, 1.0, 1.0],
    ]
)


@pytest.mark.parametrize("target", range(4))
def test_dual_focal_looks_past_classes_that_tie_with_the_label(target: int):
    targets = torch.full((len(TIED),), target)
    expected = dual_focal_slowly(TIED, targets, 3.0)
    assert_close(dual_focal(TIED, targets, gamma=3.0), expected)
    one_hot = torch.nn.functional.one_hot(targets, 4).double()
    assert_close(dual_focal(TIED, one_hot, gamma=3.0), expected)


@pytest.mark.parametrize("target", range(4))
def test_dual_focal_of_probabilities_has_the_gradient_of_labels_also_at_ties(target: int):
    at = TIED.clone().requires_grad_()
    targets = torch.full((len(TIED),), target)
    one_hot = torch.nn.functional.one_hot(targets, 4).double()
    hard = slope(dual_focal(at, targets, gamma=3.0), at)
    assert_close(slope(dual_focal(at, one_hot, gamma=3.0), at), hard, atol=1e-13, rtol=0)
    # Two classes that tie as the next lower one are treated alike.
    if target == 3:
        assert_close(hard[3, 1], hard[3, 2])


def test_the_gradient_of_dual_focal_goes_through_the_next_lower_probability():
    logits = double([[2.0, 1.0, 0.0]]).requires_grad_()

    def formula(p: Tensor, lower: Tensor) -> Tensor:
        return slope(-((1 - p[0] + lower) ** 3.0) * p[0].log(), logits)

    found = slope(dual_focal(logits, torch.tensor([0]), gamma=3.0), logits)
    p = logits.softmax(-1)[0]
    assert_close(found, formula(p, p[1]))
    p = logits.softmax(-1)[0]
    assert not torch.allclose(found, formula(p, p[1].detach()))


def test_dual_focal_serves_every_label_of_many_classes_without_their_square():
    # 2 x 20,000² numbers would be 3 GB.
    logits = draw(2, 1, 20_000).float()
    gamma = torch.full((1, 1), 5.0)
    every = dual_focal.function(logits, EVERY, gamma=gamma)
    targets = draw_labels(2, n_classes=20_000)
    assert every.shape == (2, 20_000)
    some = dual_focal(logits[:, 0], targets, gamma=5.0)
    assert_close(every.gather(-1, targets[:, None])[:, 0], some)


def test_dual_focal_is_for_classes_alone():
    assert "multilabel" not in dual_focal.tasks
    assert not dual_focal.has_exact_readout


# Inverse focal loss


@pytest.mark.parametrize("gamma", [0.1, 0.5, 1.25, 1.5])
def test_weight_of_inverse_focal(gamma: float):
    expected = (1 + P) ** gamma + gamma * P * (1 + P) ** (gamma - 1) * P.log()
    assert_close(weight(inverse_focal, P, gamma=gamma), expected)


def curvature(gamma: float, logits: Tensor) -> Tensor:
    """Return the least curvature of the expected loss where a posterior has its minimum.

    The posterior is the one that is read from the logits; the direction in which softmax does not
    change is left out.
    """
    function, link = inverse_focal.function, inverse_focal.link
    assert link is not None
    found = []
    for row in logits:
        eta = link(row, gamma=double(gamma)).exp()

        def expected(z: Tensor, eta: Tensor = eta) -> Tensor:
            return (eta * function(z.log_softmax(-1), gamma=double(gamma))).sum()

        assert torch.autograd.functional.jacobian(expected, row).abs().max() < 1e-12
        hessian = torch.autograd.functional.hessian(expected, row)
        found.append(torch.linalg.eigvalsh(hessian + torch.ones_like(hessian)).min())
    return torch.stack(found)


@pytest.mark.parametrize("n_classes", range(2, 11))
def test_every_posterior_has_one_minimum_of_inverse_focal_as_far_as_allowed(n_classes: int):
    highest = inverse_focal.parameters["gamma"].allowed.high
    scales = torch.linspace(0.0, 3.0, 40, dtype=torch.float64)[:, None]
    logits = draw(40, n_classes, seed=n_classes) * scales
    # Two leading classes of equal probability are where it fails first.
    logits[:5, :2] += torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])[:, None]
    assert curvature(highest, logits).min() > 0.0
    worst = torch.zeros(1, n_classes, dtype=torch.float64)
    worst[:, :2] += 12.0
    assert curvature(highest, worst) > 0.0
    assert curvature(1.7, worst) < 0.0


def test_read_out_of_inverse_focal_rises_for_two_classes_as_far_as_allowed():
    z = torch.linspace(-30, 30, 20001, dtype=torch.float64)
    highest = inverse_focal.parameters["gamma"].allowed.high
    assert highest == 1.5
    log_odds = inverse_focal.readout(pair(z), gamma=highest).diff(dim=-1)[:, 0]
    assert log_odds.diff().min() > 0.0
    link = inverse_focal.link
    assert link is not None
    beyond = link(pair(z), gamma=double(2.0)).diff(dim=-1)[:, 0]
    assert beyond.diff().min() < 0.0


def test_inverse_focal_is_more_confident_than_the_posterior():
    logits = double([0.9, 0.1]).log()
    assert inverse_focal.readout(logits, gamma=0.5).exp()[0] < 0.9
    assert focal.readout(logits, gamma=0.5).exp()[0] > 0.9


# FLSD-53


@pytest.mark.parametrize(("p", "gamma"), [(0.01, 5.0), (0.199, 5.0), (0.201, 3.0), (0.9, 3.0)])
def test_flsd53_is_focal_loss_with_a_gamma_by_probability(p: float, gamma: float):
    at = double([[p, 1 - p]]).log().requires_grad_()
    target = torch.tensor([0])
    ours, expected = flsd53(at, target), focal(at, target, gamma=gamma)
    assert_close(ours, expected)
    assert_close(slope(ours, at), slope(expected, at))


def test_no_posterior_can_be_read_on_the_step_of_flsd53():
    # Two posteriors have their least loss at the same edge: the read-out must miss one of them.
    p = torch.linspace(0.001, 0.999, 99_801, dtype=torch.float64)
    every = flsd53.function(torch.stack([p, 1 - p], -1).log())
    least = [p[(every * double([eta, 1 - eta])).sum(-1).argmin()].item() for eta in (0.02, 0.06)]
    assert least == pytest.approx([0.2, 0.2], abs=2e-5)
    assert not flsd53.has_exact_readout


# Asymmetric loss


def asymmetric_slowly(p: float, is_yes: bool, gamma_pos: float, gamma_neg: float, m: float):
    """Return the formula of the paper in Python's numbers."""
    if is_yes:
        return -((1 - p) ** gamma_pos) * math.log(p)
    shifted = max(p - m, 0.0)
    return -(shifted**gamma_neg) * math.log(1 - shifted)


SETTINGS = [(0.0, 4.0, 0.05), (1.0, 4.0, 0.05), (2.0, 1.0, 0.2), (1.0, 6.0, 0.0), (0.5, 2.5, 0.1)]
EVERY_ASYMMETRIC = pytest.mark.parametrize(("gamma_pos", "gamma_neg", "m"), SETTINGS)


@EVERY_ASYMMETRIC
def test_asymmetric_is_its_formula(gamma_pos: float, gamma_neg: float, m: float):
    z = draw(20, scale=3.0)
    setting = {"gamma_pos": gamma_pos, "gamma_neg": gamma_neg, "m": m}
    for is_yes in (False, True):
        expected = [asymmetric_slowly(p, is_yes, **setting) for p in z.sigmoid().tolist()]
        targets = torch.full((20,), int(is_yes))
        assert_close(asymmetric(pair(z), targets, **setting), double(expected))


def test_asymmetric_has_its_gradient_through_the_weights():
    z = double([0.5]).requires_grad_()
    found = slope(asymmetric(pair(z), torch.tensor([1]), gamma_pos=2.0), z)
    p = z.sigmoid()
    assert_close(found, slope(-((1 - p) ** 2) * p.log(), z))
    p = z.sigmoid()
    assert not torch.allclose(found, slope(-((1 - p.detach()) ** 2) * p.log(), z))


@pytest.mark.parametrize(("p", "meant"), [(0.417, 0.05), (0.53, 0.20)])
def test_what_a_probability_of_asymmetric_means(p: float, meant: float):
    # To the digits in which p is given.
    read = asymmetric.readout(pair(double([p]).logit()), gamma_pos=1.0, gamma_neg=4.0, m=0.05)
    assert read[0, 1].exp().item() == pytest.approx(meant, abs=6e-3)
    assert abs(read[0, 1].exp().item() - p) > 0.3


@EVERY_ASYMMETRIC
def test_read_out_of_asymmetric_is_the_ratio_of_the_slopes(gamma_pos, gamma_neg, m):
    setting = {"gamma_pos": gamma_pos, "gamma_neg": gamma_neg, "m": m}
    z = torch.linspace(-8.0, 12.0, 60, dtype=torch.float64)
    found = null_vector(lambda logits, y: asymmetric(logits, y, **setting), pair(z))
    assert_close(asymmetric.readout(pair(z), **setting).exp(), found.probs, atol=1e-12, rtol=1e-9)


@EVERY_ASYMMETRIC
@pytest.mark.parametrize("eta", [0.01, 0.2, 0.5, 0.8])
def test_read_out_of_asymmetric_recovers_the_posterior_at_the_minimum(
    gamma_pos, gamma_neg, m, eta
):
    setting = {"gamma_pos": gamma_pos, "gamma_neg": gamma_neg, "m": m}
    probs = double([1 - eta, eta])

    def expected(z: float) -> float:
        return asymmetric(pair(double([z])), probs[None], **setting).item()

    best = minimize_scalar(expected, bounds=(-10, 25), method="bounded", options={"xatol": 1e-9})
    read = asymmetric.readout(pair(double([best.x])), **setting).exp()
    assert_close(read[0], probs, atol=1e-5, rtol=0)


@EVERY_ASYMMETRIC
def test_read_out_of_asymmetric_rises_with_the_logit(gamma_pos, gamma_neg, m):
    # So that a posterior has one minimum, and decisions are those of a threshold on the logit.
    z = torch.linspace(-15.0, 30.0, 4001, dtype=torch.float64)
    read = asymmetric.readout(pair(z), gamma_pos=gamma_pos, gamma_neg=gamma_neg, m=m)
    assert (read[:, 1].exp().diff() >= -1e-14).all()


def test_a_no_below_the_margin_costs_nothing_and_reads_as_no():
    z = double([0.04, 0.06]).logit().requires_grad_()
    value = asymmetric(pair(z), torch.zeros(2, dtype=torch.int64), m=0.05)
    touched = slope(value, z)
    assert value[0] == 0.0
    assert touched[0] == 0.0
    assert value[1] > 0.0
    assert touched[1] > 0.0
    read = asymmetric.readout(pair(z.detach()), m=0.05)
    assert read.isfinite().all()
    assert read[0, 1] < math.log(1e-300)
    assert read[0, 0] == 0.0


def test_asymmetric_is_finite_and_exact_for_any_logit_of_float32():
    z = torch.tensor([-1e4, -200.0, -90.0, -20.0, 0.0, 20.0, 90.0, 200.0, 1e4])
    for setting in (
        *({"gamma_pos": a, "gamma_neg": b, "m": c} for a, b, c in SETTINGS),
        {"gamma_pos": 0.0, "gamma_neg": 0.0, "m": 0.0},
        {"gamma_pos": 0.3, "gamma_neg": 0.3, "m": 0.9},
    ):
        narrow = asymmetric.readout(pair(z), **setting)
        assert narrow.isfinite().all()
        wide = asymmetric.readout(pair(z.double()), **setting)
        assert_close(narrow.double().exp(), wide.exp(), atol=1e-6, rtol=0)
        for label in (0, 1):
            at = z.clone().requires_grad_()
            targets = torch.full((len(z),), label)
            value = asymmetric(pair(at), targets, **setting)
            assert value.isfinite().all()
            assert slope(value, at).isfinite().all()
            expected = asymmetric(pair(z.double()), targets, **setting)
            assert_close(value.double(), expected, atol=1e-6, rtol=1e-5)


def test_a_yes_that_is_learnt_to_the_last_digit_still_has_its_read_out():
    # p rounds to 1 in float32 here; the log odds go on rising by gamma_pos a logit.
    read = asymmetric.readout(pair(torch.tensor([40.0, 41.0])), gamma_pos=1.0, m=0.05)
    assert (read[1, 0] - read[0, 0]).item() == pytest.approx(-1.0, abs=1e-3)


def test_candidates_of_asymmetric_have_their_own_parameters():
    columns = {
        name: double([setting[i] for setting in SETTINGS[:3]])[:, None]
        for i, name in enumerate(("gamma_pos", "gamma_neg", "m"))
    }
    logits, targets = draw(3, 3, 2, scale=2.0), draw_labels(3, 3, n_classes=2)
    probs = draw(3, 3, 2, seed=5).softmax(-1)
    names = ("gamma_pos", "gamma_neg", "m")
    for k, setting in enumerate(SETTINGS[:3]):
        alone = dict(zip(names, setting, strict=True))
        for labels in (targets, probs):
            together = asymmetric(logits, labels, **columns)
            assert_close(together[k], asymmetric(logits[k], labels[k], **alone))
        assert_close(
            asymmetric.readout(logits, **columns)[k], asymmetric.readout(logits[k], **alone)
        )


def test_asymmetric_trains_labels_of_yes_and_no():
    assert asymmetric.tasks == ("binary", "multilabel")
    with pytest.raises(InputError, match=r"asymmetric must have the two classes no and yes, but"):
        asymmetric(torch.zeros(1, 3), torch.tensor([0]))


def test_asymmetric_without_focus_and_margin_is_binary_cross_entropy():
    z, labels = draw(20, scale=3.0), draw_labels(20, n_classes=2)
    ours = asymmetric(pair(z), labels, gamma_pos=0.0, gamma_neg=0.0, m=0.0)
    expected = torch.nn.functional.binary_cross_entropy_with_logits(
        z, labels.double(), reduction="none"
    )
    assert_close(ours, expected)


def test_a_loss_that_equals_cross_entropy_costs_the_same_at_its_neutral_setting():
    logits, targets = draw(9, 4), draw_labels(9, n_classes=4)
    for loss in (dual_focal, inverse_focal):
        assert_close(loss(logits, targets, gamma=0.0), cross_entropy(logits, targets))
