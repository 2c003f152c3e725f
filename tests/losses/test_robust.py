"""Losses for wrong labels: Taylor and symmetric cross-entropy, MAE, NCE + RCE and ELR."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.optimize import minimize
from torch import Tensor
from torch.nn import functional
from torch.testing import assert_close

from autoloss import losses
from autoloss.core.errors import InputError
from autoloss.losses import LossContext, LossSpec, Objective

from .cases import draw, draw_labels, slope

cross_entropy, elr, mae, nce_rce, poly1, symmetric, taylor = (
    losses.get(name)
    for name in (
        "cross_entropy",
        "elr",
        "mae",
        "nce_rce",
        "poly1",
        "symmetric_cross_entropy",
        "taylor_cross_entropy",
    )
)
A = 9.210340371976182
P = torch.linspace(0.001, 0.999, 200, dtype=torch.float64)
LOGITS, TARGETS = draw(40, 5, scale=2.0), draw_labels(40, n_classes=5)
PROBS = LOGITS.softmax(-1)
P_TRUE = PROBS[torch.arange(40), TARGETS]


def double(values) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def weight(loss, p: Tensor, **parameters) -> Tensor:
    """Return the gradient on the true logit in units of cross-entropy's, from autograd."""
    at = torch.stack([p, 1 - p], -1).log().requires_grad_()
    return slope(loss(at, torch.zeros(len(p), dtype=torch.int64), **parameters), at)[:, 0] / (
        p - 1
    )


def minimum(loss, posterior: Tensor, **parameters) -> Tensor:
    """Return the logits at which the expected loss of a posterior is least, kept within 40."""

    def fun(flat):
        at = torch.tensor(flat, requires_grad=True)
        value = loss(at[None], posterior[None], **parameters)[0]
        return value.item(), slope(value, at).numpy()

    start = 0.1 * posterior.log().numpy()
    options = {"ftol": 1e-15, "gtol": 1e-12, "maxiter": 2000}
    bounds = [(-40.0, 40.0)] * len(start)
    found = minimize(fun, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    return torch.tensor(found.x)


@pytest.mark.parametrize(
    ("loss", "setting", "expected"),
    [
        (mae, {}, P),
        (taylor, {"t": 1}, P),
        (taylor, {"t": 2}, 1 - (1 - P) ** 2),
        (taylor, {"t": 10}, 1 - (1 - P) ** 10),
        (symmetric, {"alpha": 0.1, "beta": 1.0}, 0.1 + A * P),
        (symmetric, {"alpha": 6.0, "beta": 0.1}, 6.0 + 0.1 * A * P),
    ],
    ids=["mae", "taylor1", "taylor2", "taylor10", "symmetric", "symmetric-cifar100"],
)
def test_weight_of_an_example(loss, setting, expected: Tensor):
    assert_close(weight(loss, P, **setting), expected)


@pytest.mark.parametrize(
    ("loss", "setting", "scales"),
    [
        (mae, {}, (0.50, 0.10, 0.010)),
        (symmetric, {"alpha": 0.1, "beta": 1.0}, (4.71, 1.02, 0.19)),
        (taylor, {"t": 2}, (0.75, 0.19, 0.020)),
    ],
    ids=["mae", "symmetric", "taylor2"],
)
def test_gradient_scale_at_the_start(loss, setting, scales):
    for n_classes, scale in zip((2, 10, 100), scales, strict=True):
        # Half a unit of the last digit that is printed.
        half = 0.0005 if scale < 0.1 else 0.005
        assert loss.gradient_scale(n_classes, **setting) == pytest.approx(scale, abs=half)


# Taylor cross-entropy and MAE


@pytest.mark.parametrize("t", range(1, 11))
def test_taylor_cross_entropy_is_its_sum(t: int):
    expected = sum((1 - P_TRUE) ** i / i for i in range(1, t + 1))
    assert_close(taylor(LOGITS, TARGETS, t=t), expected, atol=1e-14, rtol=1e-13)


def test_candidates_of_taylor_cross_entropy_have_their_own_number_of_terms():
    t = double([[1], [2], [5], [10]])
    together = taylor(LOGITS.expand(4, 40, 5), TARGETS, t=t)
    readouts = taylor.readout(LOGITS.expand(4, 40, 5), t=t)
    for k in range(4):
        terms = int(t[k])
        assert_close(together[k], taylor(LOGITS, TARGETS, t=terms))
        assert_close(readouts[k], taylor.readout(LOGITS, t=terms))


def test_taylor_cross_entropy_rises_to_cross_entropy_with_its_terms():
    values = torch.stack([taylor(LOGITS, TARGETS, t=t) for t in range(1, 11)])
    assert (values.diff(dim=0) > 0).all()
    # The rest of the series is positive and below its next term over p.
    rest = cross_entropy(LOGITS, TARGETS) - values[-1]
    assert (rest > -1e-14).all()
    assert (rest < (1 - P_TRUE) ** 11 / (11 * P_TRUE) + 1e-14).all()


@pytest.mark.parametrize("t", [2, 3, 10])
def test_read_out_of_taylor_cross_entropy_is_its_formula_and_the_posterior(t: int):
    p = double([0.4, 0.35, 0.25])
    phi = 1 - (1 - p) ** t
    expected = p / phi / (p / phi).sum()
    read = taylor.readout(p.log(), t=t).exp()
    assert_close(read, expected)
    best = minimum(lambda z, y: taylor(z, y, t=t), expected)
    assert_close(best.softmax(-1), p, atol=1e-6, rtol=0)


def test_taylor_cross_entropy_gives_up_a_class_much_less_likely_than_another():
    # 1 : t and beyond, where the minimum is not inside and reads as 1 : t at most.
    best = minimum(lambda z, y: taylor(z, y, t=3), double([0.8, 0.2]))
    assert best.softmax(-1)[1] < 1e-6
    assert_close(taylor.readout(best, t=3).exp(), double([0.75, 0.25]), atol=1e-6, rtol=0)


@pytest.mark.parametrize("t", [1, 2, 10])
def test_read_out_of_taylor_cross_entropy_is_exact_at_both_ends_of_float32(t: int):
    logits = torch.tensor([[1e4, -1e4, 0.0], [40.0, 0.0, 39.0], [0.0, 0.0, 0.0]])
    narrow, wide = taylor.readout(logits, t=t), taylor.readout(logits.double(), t=t)
    assert_close(narrow.double(), wide, atol=1e-6, rtol=0)
    # A class without probability has 1 / t of the value of a class with all of it.
    assert (wide[0, 1] - wide[0, 0]).item() == pytest.approx(-math.log(t))


def test_mae_is_half_the_absolute_distance_from_one_hot():
    one_hot = functional.one_hot(TARGETS, 5).double()
    expected = functional.l1_loss(PROBS, one_hot, reduction="none").sum(-1) / 2
    assert_close(mae(LOGITS, TARGETS), expected)
    assert_close(mae(LOGITS, TARGETS), taylor(LOGITS, TARGETS, t=1))


def test_mae_puts_all_on_the_likeliest_class():
    best = minimum(mae, double([0.4, 0.35, 0.25]))
    assert best.softmax(-1)[0] > 0.999
    assert not mae.has_exact_readout


def test_wrong_labels_do_not_move_mae():
    # Flipped evenly to any class, the loss is the old one, scaled and shifted by constants.
    clean = functional.one_hot(TARGETS, 5).double()
    flipped = 0.6 * clean + 0.4 / 5
    expected = 0.6 * mae(LOGITS, TARGETS) + 0.4 * (1 - 1 / 5)
    assert_close(mae(LOGITS, flipped), expected)


# Symmetric cross-entropy and NCE + RCE


@pytest.mark.parametrize(("alpha", "beta"), [(0.1, 1.0), (6.0, 0.1), (1.0, 0.0), (0.01, 10.0)])
def test_symmetric_cross_entropy_is_the_entropy_both_ways(alpha: float, beta: float):
    one_hot = functional.one_hot(TARGETS, 5).double()
    reverse = -(PROBS * one_hot.clamp(1e-4, 1.0).log()).sum(-1)
    forward = functional.cross_entropy(LOGITS, TARGETS, reduction="none")
    ours = symmetric(LOGITS, TARGETS, alpha=alpha, beta=beta)
    assert_close(ours, alpha * forward + beta * reverse)


def test_symmetric_cross_entropy_is_poly1_times_alpha():
    for alpha, beta in ((0.1, 1.0), (6.0, 0.1)):
        epsilon = A * beta / alpha
        ours = symmetric(LOGITS, TARGETS, alpha=alpha, beta=beta)
        assert_close(ours, alpha * poly1(LOGITS, TARGETS, epsilon=epsilon))
        assert_close(
            symmetric.readout(LOGITS, alpha=alpha, beta=beta),
            poly1.readout(LOGITS, epsilon=epsilon),
        )
    assert symmetric.same_as == "poly1"


def test_no_setting_of_symmetric_cross_entropy_is_without_cross_entropy():
    with pytest.raises(InputError, match=r"alpha must be in \(0, inf\)"):
        symmetric(LOGITS, TARGETS, alpha=0.0)


@pytest.mark.parametrize(("alpha", "beta"), [(1.0, 0.1), (10.0, 1.0), (0.0, 1.0), (100.0, 100.0)])
@pytest.mark.parametrize("n_classes", [2, 5, 30])
def test_nce_rce_is_its_formula(alpha: float, beta: float, n_classes: int):
    logits, targets = draw(20, n_classes, scale=2.0), draw_labels(20, n_classes=n_classes)
    every = torch.stack(
        [
            functional.cross_entropy(logits, torch.full((20,), c), reduction="none")
            for c in range(n_classes)
        ],
        -1,
    )
    share = every / every.sum(-1, keepdim=True)
    expected = alpha * share + beta * A * (1 - logits.softmax(-1))
    ours = nce_rce(logits, targets, alpha=alpha, beta=beta)
    assert_close(ours, expected.gather(-1, targets[:, None])[:, 0])
    soft = draw(20, n_classes, seed=4).softmax(-1)
    assert_close(nce_rce(logits, soft, alpha=alpha, beta=beta), (soft * expected).sum(-1))


def test_nce_rce_has_a_constant_sum_over_the_labels():
    # The reason that a loss is robust to labels that are wrong evenly.
    total = sum(nce_rce(LOGITS, torch.full((40,), c), alpha=2.0, beta=0.5) for c in range(5))
    assert_close(total, torch.full((40,), 2.0 + 0.5 * A * 4, dtype=torch.float64))


def test_nce_never_stands_alone():
    with pytest.raises(InputError, match=r"beta must be in \(0, inf\)"):
        nce_rce(LOGITS, TARGETS, alpha=1.0, beta=0.0)
    # The reason: its infimum is the least posterior, at a class that is given up.
    posterior = double([0.5, 0.3, 0.2])
    setting = {"alpha": 1.0, "beta": 1e-12}
    given_up = nce_rce(double([[0.0, 0.0, -1e6]]), posterior[None], **setting)
    assert given_up.item() == pytest.approx(0.2, abs=1e-5)
    honest = nce_rce(posterior.log()[None], posterior[None], **setting)
    assert honest.item() > 0.25


def test_nce_rce_of_equal_logits_is_a_share_of_one_over_the_classes():
    for n_classes in (2, 10):
        value = nce_rce(torch.zeros(1, n_classes).double(), torch.tensor([0]), alpha=1.0, beta=1.0)
        assert value.item() == pytest.approx(1 / n_classes + A * (1 - 1 / n_classes))


@pytest.mark.parametrize("n_classes", [2, 5])
def test_nce_rce_is_finite_for_classes_without_probability(n_classes: int):
    for size in (0.0, 200.0, 1e4):
        at = torch.zeros(n_classes, n_classes)
        at[:, 0] = size
        at.requires_grad_()
        value = nce_rce(at, torch.arange(n_classes))
        assert value.isfinite().all()
        assert slope(value, at).isfinite().all()


# Early-learning regularisation


def remember(memory: Tensor, logits: Tensor, beta: float) -> Tensor:
    """Return the memory after a step, by the declared update."""
    assert elr.memory is not None
    return elr.memory(memory, logits, lambda_=double(3.0), beta=double(beta))


def context(memory: Tensor) -> LossContext:
    return LossContext(row_ids=torch.arange(memory.shape[-2]), memory=memory)


def held(logits: Tensor) -> Tensor:
    return logits.softmax(-1).clamp(1e-4, 1 - 1e-4)


@pytest.mark.parametrize("lambda_", [1.0, 3.0, 10.0])
@pytest.mark.parametrize("scale", [1.0, 20.0])
def test_elr_is_its_formula(lambda_: float, scale: float):
    logits, t = draw(40, 5, scale=scale), 0.8 * draw(40, 5, seed=6).softmax(-1)
    agreement = (t * held(logits)).sum(-1)
    expected = functional.cross_entropy(logits, TARGETS, reduction="none")
    expected = expected + lambda_ * (1 - agreement).log()
    found = elr(logits, TARGETS, lambda_=lambda_, context=context(t))
    assert_close(found, expected)
    # The memory is the same under every label.
    soft = functional.one_hot(TARGETS, 5).double()
    assert_close(elr(logits, soft, lambda_=lambda_, context=context(t)), expected)


def test_elr_remembers_the_running_mean_of_its_predictions():
    memory = torch.zeros(40, 5, dtype=torch.float64)
    expected = torch.zeros(40, 5, dtype=torch.float64)
    for step in range(4):
        logits = draw(40, 5, seed=step, scale=4.0).requires_grad_()
        memory = remember(memory, logits, 0.7)
        p = held(logits.detach())
        expected = 0.7 * expected + 0.3 * p / p.sum(-1, keepdim=True)
        assert not memory.requires_grad
        assert_close(memory, expected)
        assert_close(memory.sum(-1), torch.full((40,), 1 - 0.7 ** (step + 1), dtype=torch.float64))


def test_elr_pulls_an_example_to_what_it_was_predicted_to_be():
    # Cross-entropy pulls it to class 0, its memory to class 1.
    t = double([[0.02, 0.95, 0.03]])
    at = double([[0.0, 1.0, 0.0]]).requires_grad_()
    label = torch.tensor([0])
    plain = slope(cross_entropy(at, label), at)
    found = slope(elr(at, label, lambda_=3.0, context=context(t)), at)
    assert plain[0, 1] > 0.0
    assert found[0, 1] < 0.0


def test_elr_without_a_past_has_the_gradient_of_cross_entropy_at_equal_logits():
    at = torch.zeros(1, 4, dtype=torch.float64, requires_grad=True)
    t = remember(torch.zeros(1, 4, dtype=torch.float64), at, 0.7)
    label = torch.tensor([2])
    found = slope(elr(at, label, lambda_=10.0, context=context(t)), at)
    assert_close(found, slope(cross_entropy(at, label), at))


@pytest.mark.parametrize("size", [20.0, 1e4])
def test_elr_is_finite_where_network_and_memory_are_sure(size: float):
    at = (size * torch.eye(3)).requires_grad_()
    memory = torch.eye(3)
    for targets in (torch.arange(3), torch.tensor([1, 2, 0]), torch.full((3, 3), 1 / 3)):
        value = elr(at, targets, lambda_=10.0, context=context(memory))
        assert value.isfinite().all()
        assert slope(value, at).isfinite().all()
    # The largest value of the penalty.
    least = elr(at, torch.arange(3), lambda_=10.0, context=context(memory)).min()
    assert least.item() == pytest.approx(10 * math.log(1e-4), rel=1e-3)


def test_elr_says_what_it_lacks():
    with pytest.raises(InputError, match="elr must be given row_ids"):
        elr(LOGITS, TARGETS)
    with pytest.raises(InputError, match="elr must be given memory"):
        elr(LOGITS, TARGETS, context=LossContext(row_ids=torch.arange(40)))


def test_elr_of_two_candidates_remembers_rows_over_batches():
    specs = [LossSpec("elr", {"elr.beta": beta, "elr.lambda_": 2.0}) for beta in (0.5, 0.9)]
    objective = Objective(specs, torch.ones(3), dtype=torch.float64)
    rows = [torch.tensor([4, 0]), torch.tensor([2, 4]), torch.tensor([0, 4])]
    memory = torch.zeros(2, 5, 3, dtype=torch.float64)
    for step, ids in enumerate(rows):
        logits, targets = draw(2, 2, 3, seed=step), torch.tensor([0, 2])
        found = objective(logits, targets, context=LossContext(row_ids=ids))
        for k, beta in enumerate((0.5, 0.9)):
            memory[k, ids] = remember(memory[k, ids], logits[k], beta)
            alone = elr(logits[k], targets, lambda_=2.0, context=context(memory[k, ids]))
            assert_close(found[k], alone)
