"""Scores with their own read-out: square, spherical, entmax, ordered, hinged, normalised."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch import Tensor
from torch.nn import functional
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode

from autoloss.losses import get, null_vector
from autoloss.losses.bases.entmax import log_sparsemax
from autoloss.losses.labels import pairs

from .cases import draw, draw_labels, slope

SQUARE, SPHERICAL, ENTMAX = get("square"), get("spherical"), get("entmax")
EMD, HINGE, LOGIT_NORM = get("squared_emd"), get("squared_hinge"), get("logit_norm")
BASES = (SQUARE, SPHERICAL, ENTMAX, EMD, HINGE, LOGIT_NORM)

LOGITS, TARGETS = draw(40, 5, scale=2.0), draw_labels(40, n_classes=5)
ONE_HOT = functional.one_hot(TARGETS, 5).double()
SKEWED = torch.tensor([0.55, 0.05, 0.25, 0.12, 0.03], dtype=torch.float64)


def minimum(loss, probs: Tensor, **setting: float) -> Tensor:
    """Return logits at which the expected loss is least."""

    def fun(flat: np.ndarray) -> tuple[float, np.ndarray]:
        logits = torch.tensor(flat, requires_grad=True)
        value = loss(logits[None], probs[None], **setting)
        return value.item(), slope(value, logits).numpy()

    start = np.linspace(-0.3, 0.2, len(probs))
    found = minimize(fun, start, jac=True, method="BFGS", options={"gtol": 1e-11, "maxiter": 500})
    return torch.tensor(found.x)


class Largest(TorchDispatchMode):
    """Remembers the size of the largest tensor that is made."""

    numbers = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        for one in made if isinstance(made, tuple | list) else [made]:
            if isinstance(one, Tensor):
                self.numbers = max(self.numbers, one.untyped_storage().nbytes() // 4)
        return made


@pytest.mark.parametrize(
    ("loss", "setting"),
    [(SQUARE, {}), (ENTMAX, {"alpha": 1.5}), (ENTMAX, {"alpha": 2.0}), (HINGE, {})],
    ids=str,
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_class_without_share_is_read_as_hardly_possible(loss, setting, dtype):
    logits = torch.tensor([[9.0, -9.0, 0.0], [1e4, -1e4, 0.0]], dtype=dtype)
    expected = torch.tensor([[0.0, -27.631, -27.631]], dtype=dtype).expand(2, 3)
    assert_close(loss.readout(logits, **setting), expected, atol=1e-3, rtol=0)


@pytest.mark.parametrize("loss", BASES, ids=str)
@pytest.mark.parametrize("soft", [False, True], ids=["hard", "soft"])
def test_memory_is_linear_in_the_classes(loss, soft: bool):
    logits = draw(2, 500).float().requires_grad_()
    targets = draw(2, 500, seed=1).softmax(-1).float() if soft else draw_labels(2, n_classes=500)
    with Largest() as largest:
        slope(loss(logits, targets), logits)
    assert largest.numbers <= 4 * logits.numel()


@pytest.mark.parametrize("loss", BASES, ids=str)
def test_float32_gradients_at_large_logits_are_those_of_float64(loss):
    logits = torch.cat([1e4 * torch.eye(5)[:2], -1e4 * torch.eye(5)[:2], draw(4, 5).float() * 1e4])
    for c in range(5):
        targets = torch.full((8,), c)
        narrow, wide = logits.clone().requires_grad_(), logits.double().requires_grad_()
        expected = slope(loss(wide, targets), wide)
        close = {"atol": 1e-6 * max(1.0, expected.abs().max().item()), "rtol": 1e-5}
        assert_close(slope(loss(narrow, targets), narrow).double(), expected, **close)
        close = {"atol": 1e-5, "rtol": 1e-5}
        assert_close(loss(narrow, targets).double(), loss(wide, targets), **close)


@pytest.mark.parametrize("loss", [SQUARE, ENTMAX, HINGE, LOGIT_NORM], ids=str)
def test_readout_decides_as_the_logits(loss):
    logits = torch.cat([draw(50, 4, scale=s) + shift for s in (0.1, 3.0) for shift in (-9, 0, 9)])
    assert torch.equal(loss.readout(logits).argmax(-1), logits.argmax(-1))


# --- square ---------------------------------------------------------------------------------


def test_square_is_the_squared_error_of_torch():
    expected = functional.mse_loss(LOGITS, ONE_HOT, reduction="none").sum(-1)
    assert_close(SQUARE(LOGITS, TARGETS), expected)


def test_square_is_rescaled_as_in_the_paper():
    error = (LOGITS - 7.0 * ONE_HOT).square()
    expected = (15.0 * error * ONE_HOT + error * (1.0 - ONE_HOT)).sum(-1)
    assert_close(SQUARE(LOGITS, TARGETS, kappa=15.0, M=7.0), expected)


def test_the_target_value_of_square_is_a_temperature():
    expected = 7.0**2 * SQUARE(LOGITS / 7.0, TARGETS, kappa=3.0)
    assert_close(SQUARE(LOGITS, TARGETS, kappa=3.0, M=7.0), expected)


@pytest.mark.parametrize(("kappa", "height"), [(1.0, 1.0), (15.0, 1.0), (0.2, 4.0), (15.0, 30.0)])
@pytest.mark.parametrize("n_classes", [2, 5, 100])
def test_square_is_least_at_the_probabilities_on_its_curve(kappa, height, n_classes: int):
    probs = draw(n_classes, scale=2.0).softmax(-1)
    best = (height * kappa * probs / (kappa * probs + 1.0 - probs)).requires_grad_()
    setting = {"kappa": kappa, "M": height}
    value = SQUARE(best[None], probs[None], **setting)
    assert_close(slope(value, best), torch.zeros(n_classes).double(), atol=1e-11, rtol=0)
    assert_close(SQUARE.readout(best.detach(), **setting).exp(), probs, atol=1e-11, rtol=0)
    found = null_vector(lambda z, y: SQUARE(z, y, **setting), best[None])
    assert found.residual.max() < 1e-12
    assert_close(found.probs[0], probs, atol=1e-9, rtol=0)


@pytest.mark.parametrize("kappa", [1.0, 15.0])
def test_square_reads_little_from_scores_near_zero(kappa: float):
    probs = SQUARE.readout(torch.tensor([[0.01, -0.01, 0.0, -0.02]]), kappa=kappa).exp()
    assert_close(probs, torch.full((1, 4), 0.25), atol=0.03, rtol=0)


def test_square_has_no_form_for_yes_and_no():
    assert "multilabel" not in SQUARE.tasks


# --- spherical ------------------------------------------------------------------------------


def test_spherical_values_of_two_forecasts():
    probs = torch.tensor([[0.8, 0.1, 0.1], [0.8, 0.15, 0.05]], dtype=torch.float64)
    ours = SPHERICAL(probs.log(), torch.tensor([0, 0]))
    expected = torch.tensor([-0.984732, -0.981023], dtype=torch.float64)
    assert_close(ours, expected, atol=5e-7, rtol=0)


def test_spherical_gradient_in_closed_form():
    logits = LOGITS.clone().requires_grad_()
    probs = LOGITS.softmax(-1)
    norm = probs.norm(dim=-1, keepdim=True)
    true = probs.gather(-1, TARGETS[:, None])
    expected = true / norm * (probs.square() / norm.square() - ONE_HOT)
    assert_close(SPHERICAL(logits, TARGETS), -(true / norm)[:, 0])
    assert_close(slope(SPHERICAL(logits, TARGETS), logits), expected)


# --- entmax ---------------------------------------------------------------------------------

ORACLES = {1.5: ("entmax15", "entmax15_loss"), 2.0: ("sparsemax", "sparsemax_loss")}


def thresholds(logits: Tensor, alpha: float) -> Tensor:
    """Return α-entmax by halving the interval that its threshold is in."""
    scaled = (alpha - 1.0) * (logits - logits.amax(-1, keepdim=True))
    low, high = -torch.ones_like(scaled[..., :1]), torch.zeros_like(scaled[..., :1])
    for _ in range(80):
        middle = 0.5 * (low + high)
        above = (scaled - middle).relu().pow(1.0 / (alpha - 1.0)).sum(-1, keepdim=True) > 1.0
        low, high = torch.where(above, middle, low), torch.where(above, high, middle)
    return (scaled - low).relu().pow(1.0 / (alpha - 1.0))


@pytest.mark.parametrize("alpha", [1.5, 2.0])
@pytest.mark.parametrize("scale", [0.0, 0.1, 1.0, 10.0, 1e4])
@pytest.mark.parametrize("n_classes", [2, 7, 1000])
def test_entmax_gradient_is_its_map_minus_the_label(alpha: float, scale: float, n_classes: int):
    logits = draw(20, n_classes, scale=scale).requires_grad_()
    targets = draw_labels(20, n_classes=n_classes)
    gradient = slope(ENTMAX(logits, targets, alpha=alpha), logits)
    expected = thresholds(logits.detach(), alpha) - functional.one_hot(targets, n_classes)
    assert_close(gradient, expected, atol=1e-13, rtol=0)
    probs = ENTMAX.readout(logits.detach(), alpha=alpha).exp()
    assert_close(probs, thresholds(logits.detach(), alpha), atol=2e-9, rtol=0)


@pytest.mark.parametrize("alpha", [1.5, 2.0])
def test_entmax_is_the_reference_implementation(alpha: float):
    reference = pytest.importorskip("entmax")
    of_logits, of_labels = (getattr(reference, name) for name in ORACLES[alpha])
    logits, theirs = LOGITS.clone().requires_grad_(), LOGITS.clone().requires_grad_()
    ours, expected = ENTMAX(logits, TARGETS, alpha=alpha), of_labels(theirs, TARGETS)
    assert_close(ours, expected, atol=1e-12, rtol=0)
    assert_close(slope(ours, logits), slope(expected, theirs), atol=1e-12, rtol=0)
    probs = ENTMAX.readout(LOGITS, alpha=alpha).exp()
    assert_close(probs, of_logits(LOGITS, dim=-1), atol=1e-11, rtol=0)


def test_entmax_is_zero_without_slope_once_the_label_has_all():
    logits = torch.tensor([[3.0, 0.9, -1e4], [1e4, 0.0, 5.0]], requires_grad=True)
    targets = torch.tensor([0, 0])
    for alpha in (1.5, 2.0):
        ours = ENTMAX(logits, targets, alpha=alpha)
        assert_close(ours, torch.zeros(2), atol=0, rtol=0)
        assert not slope(ours, logits).any()
    assert ENTMAX(logits, targets, alpha=1.0)[0] > 0.1


def test_sparsemax_of_two_classes_is_a_smoothed_hinge():
    margin = torch.tensor([-3.0, -0.5, 0.0, 0.7, 2.0], dtype=torch.float64)
    ours = ENTMAX(pairs(margin), torch.ones(5, dtype=torch.int64), alpha=2.0)
    middle = (1.0 - margin).square() / 4.0
    expected = torch.where(margin > 1.0, 0.0, torch.where(margin < -1.0, -margin, middle))
    assert_close(ours, expected)


def test_candidates_have_an_alpha_each_and_keep_nan_to_themselves():
    logits, targets = draw(4, 6, 5), draw_labels(4, 6, n_classes=5)
    alpha = torch.tensor([[1.0], [1.5], [2.0], [1.5]], dtype=torch.float64)
    logits[3] = torch.nan
    together = ENTMAX(logits, targets, alpha=alpha)
    alone = [ENTMAX(logits[k], targets[k], alpha=alpha[k].item()) for k in range(3)]
    assert_close(together[:3], torch.stack(alone), atol=1e-14, rtol=0)
    assert together[3].isnan().all()


@pytest.mark.parametrize("alpha", [1.5, 2.0])
def test_entmax_of_many_classes_sums_to_one_in_float32(alpha: float):
    # A thousand classes just above the threshold, whose sums cancel, and some at it.
    barely = torch.full((1, 1000), -0.93 / (alpha - 1.0)) + 1e-3 * draw(1, 1000).float()
    at_it = torch.full((1, 1000), -1.0 / (alpha - 1.0))
    for logits in (barely, at_it, draw(9, 1000, scale=5.0).float()):
        logits[0, 0] = 0.0
        total = ENTMAX.readout(logits, alpha=alpha).exp().double().sum(-1)
        assert_close(total, torch.ones_like(total), atol=1e-6, rtol=0)
        at = logits.requires_grad_()
        gradient = slope(ENTMAX(at, torch.zeros(len(at)).long(), alpha=alpha), at).double()
        assert gradient.sum(-1).abs().max() < 1e-6
        wide = thresholds(logits.detach().double(), alpha)
        wide[:, 0] -= 1.0
        assert_close(gradient, wide, atol=1e-6, rtol=0)


def test_log_sparsemax_is_the_nearest_distribution():
    logits = draw(30, 4)
    probs = log_sparsemax(logits).exp()
    others = draw(2000, 4, seed=5, scale=2.0).softmax(-1)
    distance = (logits - probs).square().sum(-1)
    assert (torch.cdist(logits, others).square().amin(-1) >= distance - 1e-9).all()
    assert_close(log_sparsemax(others).exp(), others, atol=1e-11, rtol=0)


# --- squared earth mover's distance -----------------------------------------------------------


@pytest.mark.parametrize("n_classes", [2, 3, 5, 30])
def test_squared_emd_is_the_sum_over_the_thresholds(n_classes: int):
    logits, targets = draw(40, n_classes), draw_labels(40, n_classes=n_classes)
    probs = draw(40, n_classes, seed=3).softmax(-1)
    ours = logits.softmax(-1).cumsum(-1)[:, :-1]
    steps = functional.one_hot(targets, n_classes).cumsum(-1)[:, :-1]
    assert_close(EMD(logits, targets), (ours - steps).square().sum(-1))
    each = torch.eye(n_classes).double().cumsum(-1)[:, :-1]
    every = (ours[:, None] - each).square().sum(-1)
    assert_close(EMD(logits, probs), (probs * every).sum(-1))


def test_squared_emd_is_half_the_brier_score_for_two_classes():
    logits, targets = draw(20, 2), draw_labels(20, n_classes=2)
    assert_close(EMD(logits, targets), 0.5 * get("brier")(logits, targets))


def test_squared_emd_prefers_the_near_miss():
    near = torch.tensor([[0.2, 0.7, 0.05, 0.05]]).log()
    far = torch.tensor([[0.2, 0.05, 0.05, 0.7]]).log()
    label = torch.tensor([0])
    assert EMD(near, label) < EMD(far, label)
    assert_close(get("brier")(near, label), get("brier")(far, label))


def test_squared_emd_knows_the_order_but_not_its_direction():
    assert_close(EMD(LOGITS.flip(-1), 4 - TARGETS), EMD(LOGITS, TARGETS))
    moved = torch.tensor([1, 0, 2, 3, 4])
    assert not torch.allclose(EMD(LOGITS[:, moved], moved[TARGETS]), EMD(LOGITS, TARGETS))
    assert not EMD.symmetric


def test_squared_emd_of_a_sure_hit_keeps_its_digits_in_float32():
    logits = torch.tensor([[25.0, 0.0, 1.0], [0.0, 25.0, 1.0], [0.0, 1.0, 25.0]])
    ours, wide = (EMD(z, torch.arange(3)) for z in (logits, logits.double()))
    assert (wide > 0.0).all()
    assert_close(ours.double(), wide, atol=0, rtol=1e-5)


# --- squared hinge ----------------------------------------------------------------------------


def test_squared_hinge_is_one_against_the_rest():
    signs = 2.0 * ONE_HOT - 1.0
    expected = (1.0 - signs * LOGITS).relu().square().sum(-1)
    assert_close(HINGE(LOGITS, TARGETS), expected)


def test_squared_hinge_of_two_classes_has_one_margin():
    logits, targets = draw(40, 2), draw_labels(40, n_classes=2)
    margin = (logits[:, 1] - logits[:, 0]) * (2.0 * targets - 1.0)
    assert_close(HINGE(logits, targets), (1.0 - margin).relu().square())
    assert_close(HINGE(logits, targets), 2.0 * get("weston_watkins")(logits, targets, p=2))


@pytest.mark.parametrize("shift", [0.0, 0.8])
def test_squared_hinge_of_yes_and_no_is_that_of_one_score(shift: float):
    # A prior adds to both logits of the pair, of which only one is learnt.
    scores = draw(30, scale=2.0)
    pair = pairs(scores - shift) + torch.tensor([shift, 2.0 * shift], dtype=torch.float64)
    for label, sign in ((0, -1.0), (1, 1.0)):
        values = HINGE(pair, torch.full((30,), label))
        assert_close(values, (1.0 - sign * scores).relu().square())
    yes = HINGE.readout(pair)[:, 1].exp()
    assert_close(yes, (scores.clamp(-1, 1) + 1.0) / 2.0, atol=1e-11, rtol=0)


def test_squared_hinge_is_least_at_twice_the_posterior_less_one():
    for probs in (SKEWED, torch.tensor([0.5, 0.5, 0.0, 0.0], dtype=torch.float64)):
        best = (2.0 * probs - 1.0).requires_grad_()
        value = HINGE(best[None], probs[None])
        assert_close(slope(value, best), torch.zeros_like(probs), atol=1e-14, rtol=0)
        # A class that never comes may lie anywhere below -1.
        beyond = torch.where(probs == 0, -7.0, best.detach())
        assert_close(HINGE.readout(beyond).exp(), probs, atol=1e-11, rtol=0)


def test_squared_hinge_counts_small_costs_beside_a_large_one():
    logits = torch.tensor([[1e4, 0.5, -2.0]], requires_grad=True)
    value = HINGE(logits, torch.tensor([0]))
    assert_close(value, torch.tensor([2.25]))
    assert_close(slope(value, logits), torch.tensor([[0.0, 3.0, 0.0]]))
    every = HINGE(logits, torch.tensor([[1.0, 0.0, 0.0]]))
    assert_close(every, value)


# --- logit norm -------------------------------------------------------------------------------


def test_logit_norm_is_cross_entropy_of_normalised_logits():
    normalised = functional.normalize(LOGITS, dim=-1) / 0.2
    expected = functional.cross_entropy(normalised, TARGETS, reduction="none")
    ours = LOGIT_NORM(LOGITS, TARGETS, tau=0.2)
    assert_close(ours, expected, atol=1e-6, rtol=1e-6)
    tau = torch.full((1, 1), 0.2, dtype=torch.float64)
    assert_close(LOGIT_NORM.viewed(LOGITS, {"tau": tau}), normalised, atol=1e-6, rtol=1e-6)


def test_logit_norm_does_not_see_how_large_logits_are():
    ours = LOGIT_NORM(1e3 * LOGITS, TARGETS)
    assert_close(ours, LOGIT_NORM(LOGITS, TARGETS), atol=1e-5, rtol=1e-5)
    readout = LOGIT_NORM.readout(1e3 * LOGITS)
    assert_close(readout, LOGIT_NORM.readout(LOGITS), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("tau", [0.01, 1.0])
def test_logit_norm_has_a_finite_gradient_at_zero(dtype, tau: float):
    logits = torch.zeros(2, 3, dtype=dtype, requires_grad=True)
    gradient = slope(LOGIT_NORM(logits, torch.tensor([0, 2]), tau=tau), logits)
    expected = torch.tensor([[-2.0, 1.0, 1.0], [1.0, 1.0, -2.0]], dtype=dtype) / 3.0
    assert_close(gradient * (tau * 1e-7), expected, atol=1e-5, rtol=0)


# --- the posterior at the numerical minimum ---------------------------------------------------


@pytest.mark.parametrize(
    ("loss", "setting"),
    [
        (SQUARE, {}),
        (SQUARE, {"kappa": 15.0, "M": 3.0}),
        (SPHERICAL, {}),
        (ENTMAX, {"alpha": 1.0}),
        (ENTMAX, {"alpha": 1.5}),
        (ENTMAX, {"alpha": 2.0}),
        (EMD, {}),
        (HINGE, {}),
        (LOGIT_NORM, {"tau": 0.04}),
        (LOGIT_NORM, {"tau": 0.3}),
    ],
    ids=str,
)
@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_readout_recovers_a_skewed_posterior(loss, setting, n_classes: int):
    probs = SKEWED[:n_classes] / SKEWED[:n_classes].sum()
    best = minimum(loss, probs, **setting)
    assert_close(loss.readout(best, **setting).exp(), probs, atol=2e-6, rtol=0)


@pytest.mark.parametrize(("share", "is_inside"), [(0.7, True), (0.80, True), (0.81, False)])
def test_logit_norm_reaches_posteriors_inside_its_ball(share: float, is_inside: bool):
    # The log-odds of two classes are at most sqrt(2) / tau.
    probs = torch.tensor([share, 1.0 - share], dtype=torch.float64)
    readout = LOGIT_NORM.readout(minimum(LOGIT_NORM, probs, tau=1.0), tau=1.0).exp()
    assert torch.allclose(readout, probs, atol=1e-5) == is_inside
    surest = torch.tensor(2.0, dtype=torch.float64).sqrt().sigmoid()
    assert readout[0] <= surest + 1e-6
    if not is_inside:
        assert_close(readout[0], surest, atol=1e-5, rtol=0)


@pytest.mark.parametrize("loss", [SPHERICAL, EMD, ENTMAX, LOGIT_NORM], ids=str)
@pytest.mark.parametrize("n_classes", [2, 4, 9])
def test_readout_is_the_null_vector_everywhere(loss, n_classes: int):
    logits = draw(20, n_classes, scale=1.2)
    found = null_vector(loss, logits)
    assert found.residual.max() < 1e-12
    assert_close(found.probs, loss.readout(logits).exp(), atol=1e-8, rtol=0)


def test_squared_hinge_readout_is_the_null_vector_at_its_minima():
    for n_classes in (2, 4, 9):
        probs = draw(20, n_classes).softmax(-1)
        best = probs - 0.5 if n_classes == 2 else 2.0 * probs - 1.0
        found = null_vector(HINGE, best)
        assert found.residual.max() < 1e-12
        assert_close(found.probs, HINGE.readout(best).exp(), atol=1e-9, rtol=0)
        assert_close(found.probs, probs, atol=1e-9, rtol=0)
