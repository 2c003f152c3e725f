"""The losses that lower the true logit by a margin, against plain formulas and other code."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.testing import assert_close

from autoloss import losses
from autoloss.core.errors import InputError
from autoloss.core.task import CLASSES_ALONE
from autoloss.losses import LossContext, null_vector
from autoloss.losses.bases.l_softmax import psi

from .cases import draw, draw_labels, slope

AM, ARC, LDAM, LARGE = (losses.get(n) for n in ("am_softmax", "arcface", "ldam", "l_softmax"))
COUNTS = torch.tensor([400.0, 81.0, 25.0, 16.0])
CONTEXT = LossContext(class_counts=COUNTS)
FEATURES, WEIGHTS = draw(60, 3), draw(4, 3, seed=1)
COSINES = functional.normalize(FEATURES) @ functional.normalize(WEIGHTS).T
TARGETS = draw_labels(60, n_classes=4)
SCALES = [1.0, 4.0, 16.0, 64.0]


def lowered(logits: Tensor, true: Tensor, targets: Tensor = TARGETS) -> Tensor:
    """Return torch's cross-entropy with `true` in the place of the true logits."""
    is_true = functional.one_hot(targets, logits.shape[-1]).bool()
    return functional.cross_entropy(torch.where(is_true, true, logits), targets, reduction="none")


def widened(cosines: Tensor, s: float, m: float) -> Tensor:
    """Return ArcFace's true logit of every class."""
    angles = cosines.arccos()
    far = cosines - m * math.sin(m)
    return s * torch.where(angles + m <= math.pi, (angles + m).cos(), far)


def multiplied(cosines: Tensor, m: int) -> Tensor:
    """Return ψ of L-Softmax by the angle."""
    angles = cosines.arccos()
    k = (m * angles.detach() / math.pi).floor()
    return (-1.0) ** k * (m * angles).cos() - 2.0 * k


def same(ours, theirs, at: Tensor, tolerance: float = 1e-10) -> None:
    """Check that two functions have the same values and slopes."""
    at = at.clone().requires_grad_()
    found, expected = ours(at), theirs(at)
    assert_close(found, expected, atol=tolerance, rtol=tolerance)
    assert_close(slope(found, at), slope(expected, at), atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("s", SCALES)
@pytest.mark.parametrize("m", [0.0, 0.2, 0.6, 1.5])
def test_the_formulas(s: float, m: float):
    same(
        lambda c: AM(c, TARGETS, s=s, m=m),
        lambda c: lowered(s * c, s * (c - m)),
        COSINES,
    )
    same(
        lambda c: ARC(c, TARGETS, s=s, m=m),
        lambda c: lowered(s * c, widened(c, s, m)),
        COSINES,
    )
    margins = m * 16.0**0.25 / COUNTS.double() ** 0.25
    same(
        lambda c: LDAM(c, TARGETS, s=s, m=m, context=CONTEXT),
        lambda c: lowered(s * c, s * (c - margins)),
        COSINES,
    )


@pytest.mark.parametrize("m", [1, 2, 3, 4])
def test_the_formula_of_large_margins_to_features_and_weights(m: int):
    def ours(features: Tensor) -> Tensor:
        norms = features.norm(dim=1)[:, None] * WEIGHTS.norm(dim=1)
        context = LossContext(norms=norms)
        return LARGE(features @ WEIGHTS.T, TARGETS, m=m, context=context)

    def theirs(features: Tensor) -> Tensor:
        norms = features.norm(dim=1)[:, None] * WEIGHTS.norm(dim=1)
        logits = features @ WEIGHTS.T
        return lowered(logits, norms * multiplied(logits / norms, m))

    same(ours, theirs, FEATURES)


@pytest.mark.parametrize("m", [1, 2, 3, 4])
def test_psi_falls_smoothly_and_lies_below_the_cosine(m: int):
    angles = torch.linspace(0.0, math.pi, 2001, dtype=torch.float64)[1:-1].requires_grad_()
    found = psi(angles.cos(), torch.tensor(float(m)))
    assert_close(found, multiplied(angles.cos(), m), atol=1e-10, rtol=0)
    assert bool((found.diff() < 0).all())
    # A jump or a kink would show as a step that the slope does not predict.
    assert slope(found, angles).diff().abs().max() < 1.01 * m**2 * math.pi / 2000
    assert bool((found <= angles.cos() + 1e-15).all())
    ends = psi(torch.tensor([1.0, -1.0]), torch.tensor(float(m)))
    assert_close(ends, torch.tensor([1.0, 1.0 - 2.0 * m]))


@pytest.mark.parametrize("m", [0.2, 0.6, 1.5])
def test_the_slope_of_arcface_on_the_true_cosine_is_the_whole_one(m: float):
    cosines = 0.8 * COSINES[:, :3].clone().requires_grad_()
    targets, s = TARGETS % 3, 8.0
    found = slope(ARC(cosines, targets, s=s, m=m), cosines).gather(1, targets[:, None])[:, 0]
    true = cosines.detach().gather(1, targets[:, None])[:, 0]
    near = true.arccos() + m < math.pi
    is_true = functional.one_hot(targets, 3).bool()
    probs = torch.where(is_true, widened(cosines.detach(), s, m), s * cosines.detach()).softmax(1)
    missed = 1.0 - probs.gather(1, targets[:, None])[:, 0]
    factor = torch.where(near, (true.arccos() + m).sin() / true.arccos().sin(), 1.0)
    assert_close(found, -s * missed * factor, atol=1e-12, rtol=1e-12)
    # The slope of code that sets the cosine outside of the graph; it is far off.
    assert (factor - 1.0).abs().max() > 0.1


@pytest.mark.parametrize("m", [0.1, 0.6, math.pi / 2])
def test_the_true_logit_of_arcface_falls_over_all_angles(m: float):
    angles = torch.linspace(0.0, math.pi, 1001, dtype=torch.float64)
    cosines = torch.stack([angles.cos(), torch.zeros_like(angles)], 1)
    values = ARC(cosines, torch.zeros(1001, dtype=torch.int64), s=3.0, m=m)
    assert bool((values.diff() > 0).all())
    far = angles > math.pi - m + 1e-9
    beyond = AM(cosines, torch.zeros(1001, dtype=torch.int64), s=3.0, m=m * math.sin(m))
    assert_close(values[far], beyond[far])


@pytest.mark.parametrize("s", [1.0, 4.0, 16.0])
@pytest.mark.parametrize("m", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("n_classes", [2, 4])
def test_the_posterior_is_the_null_vector_of_the_slopes(s: float, m: float, n_classes: int):
    logits = draw(20, n_classes, scale=2.0) / s
    found = null_vector(lambda c, y: AM(c, y, s=s, m=m), logits)
    assert found.residual.max() < 1e-12
    assert_close(found.probs, AM.readout(logits, s=s, m=m).exp(), atol=1e-9, rtol=0)
    context = LossContext(class_counts=COUNTS[:n_classes])
    found = null_vector(lambda c, y: LDAM(c, y, s=s, m=m, context=context), logits)
    assert found.residual.max() < 1e-12
    read = LDAM.readout(logits, s=s, m=m, context=context).exp()
    assert_close(found.probs, read, atol=1e-9, rtol=0)


def test_a_wide_margin_draws_the_probabilities_together():
    # p = 0.99 stands for 0.5007.
    cosines = torch.tensor([[math.log(99.0) / 30.0, 0.0]], dtype=torch.float64)
    assert AM.readout(cosines, s=30.0, m=0.35).exp()[0, 0].item() == pytest.approx(
        0.5007, abs=5e-5
    )


def test_no_posterior_is_read_from_a_margin_of_angles():
    found = null_vector(lambda c, y: ARC(c, y, s=4.0, m=0.5), 0.5 * COSINES[:20])
    assert found.residual.min() > 1e-3
    assert not ARC.has_exact_readout
    assert not LARGE.has_exact_readout


def test_the_losses_are_one_another():
    ours = AM(COSINES, TARGETS, s=5.0, m=0.3)
    assert_close(ours, losses.get("sm_softmax")(5.0 * COSINES, TARGETS, m=1.5))
    equal = LossContext(class_counts=torch.full((4,), 7))
    assert_close(LDAM(COSINES, TARGETS, s=5.0, m=0.3, context=equal), ours)
    plain = losses.get("cross_entropy")(5.0 * COSINES, TARGETS)
    for loss, rest in ((AM, {}), (ARC, {}), (LDAM, {"context": CONTEXT})):
        assert_close(loss(COSINES, TARGETS, s=5.0, m=0.0, **rest), plain)
        numbers = {name: torch.tensor(5.0) for name in loss.parameters}
        viewed = loss.viewed(COSINES, numbers, **rest)
        assert_close(losses.get("cross_entropy")(viewed, TARGETS), plain)


def test_rarer_classes_have_wider_margins():
    equal = torch.zeros(4, 4, dtype=torch.float64)
    values = LDAM(equal, torch.arange(4), s=10.0, m=0.5, context=CONTEXT)
    assert bool((values.diff() > 0).all())
    # The rarest has m itself, whatever the counts.
    assert_close(values[3:], AM(equal[:1], torch.tensor([3]), s=10.0, m=0.5))
    empty = LossContext(class_counts=torch.tensor([400, 81, 25, 0]))
    single = LossContext(class_counts=torch.tensor([400, 81, 25, 1]))
    found = LDAM(COSINES, TARGETS, context=empty)
    assert_close(found, LDAM(COSINES, TARGETS, context=single), atol=0, rtol=0)


def test_candidates_have_counts_and_norms_of_their_own():
    counts = torch.stack([COUNTS, COUNTS.flip(0)]).unsqueeze(1)
    norms = 4.0 + draw(2, 60, 4, seed=5).abs()
    together = LossContext(class_counts=counts, norms=norms)
    logits = torch.stack([COSINES, COSINES.flip(1)])
    for targets in (TARGETS, draw(60, 4, seed=6).softmax(-1)):
        for loss in (LDAM, LARGE):
            stacked = loss(logits, targets.expand(2, *targets.shape), context=together)
            for k in range(2):
                own = LossContext(class_counts=counts[k, 0], norms=norms[k])
                assert_close(stacked[k], loss(logits[k], targets, context=own))


@pytest.mark.parametrize("loss", [AM, ARC, LDAM, LARGE], ids=lambda loss: loss.name)
def test_soft_labels_give_the_expectation(loss):
    probs = draw(60, 4, seed=3).softmax(-1)
    context = LossContext(class_counts=COUNTS, norms=4.0 + draw(60, 4, seed=5).abs())
    hard = [loss(COSINES, torch.full((60,), c), context=context) for c in range(4)]
    expected = (probs * torch.stack(hard, -1)).sum(-1)
    assert_close(loss(COSINES, probs, context=context), expected, atol=1e-13, rtol=1e-13)


def test_what_a_loss_cannot_do_without():
    with pytest.raises(InputError, match="ldam must be given class_counts"):
        LDAM(COSINES, TARGETS)
    with pytest.raises(InputError, match="l_softmax must be given norms"):
        LARGE(COSINES, TARGETS)
    assert [loss.head for loss in (AM, ARC, LDAM, LARGE)] == ["cosine"] * 3 + ["unbiased"]
    assert {loss.tasks for loss in (AM, ARC, LDAM, LARGE)} == {CLASSES_ALONE}
    assert AM.aliases == ("cosface",)


ULP = torch.finfo(torch.float32).eps
EDGES = torch.tensor([-2.0, -1.0 - ULP, -1.0, -1.0 + ULP / 2, 0.0, 1.0 - ULP / 2, 1.0, 1.0 + ULP])


@pytest.mark.parametrize("s", [1.0, 64.0, 1000.0])
@pytest.mark.parametrize("m", [0.0, 0.5, 1.5])
def test_cosines_at_the_ends_of_their_range(s: float, m: float):
    grid = torch.cartesian_prod(EDGES, EDGES).requires_grad_()
    context = LossContext(class_counts=torch.tensor([9.0, 1.0]))
    for label in (0, 1):
        targets = torch.full((len(grid),), label)
        for loss, rest in ((AM, {}), (ARC, {}), (LDAM, {"context": context})):
            value = loss(grid, targets, s=s, m=m, **rest)
            wide = loss(grid.detach().double(), targets, s=s, m=m, **rest)
            assert_close(value.double(), wide, atol=2e-6 * s, rtol=1e-5)
            assert slope(value, grid).isfinite().all()


def test_beyond_the_ends_the_angle_stays_and_the_softmax_goes_on():
    # As with a head that is not of cosines, or norms that are too small: 0 and pi are the angles.
    beyond = torch.tensor([[3.0, -2.0], [-4.0, 2.5]], dtype=torch.float64, requires_grad=True)
    targets, s, m = torch.tensor([0, 0]), 2.0, 0.4
    margins = torch.tensor([1.0 - math.cos(m), m * math.sin(m)], dtype=torch.float64)
    expected = lowered(s * beyond, s * (beyond - margins[:, None]), targets)
    found = ARC(beyond, targets, s=s, m=m)
    assert_close(found, expected)
    assert_close(slope(found, beyond), slope(expected, beyond))
    norms = torch.full((2, 2), 0.5, dtype=torch.float64)
    lengths = torch.tensor([0.0, 0.5 * 4.0], dtype=torch.float64)
    expected = lowered(beyond, beyond - lengths[:, None], targets)
    assert_close(LARGE(beyond, targets, m=3, context=LossContext(norms=norms)), expected)


def test_a_learnt_face_has_finite_slopes_on_its_features():
    # Feature and weights in one direction, as at the end of a training run.
    weight = functional.normalize(draw(3, 5)).float()
    features = (3.0 * weight).requires_grad_()
    for m in (0.2, 0.6):
        cosines = functional.normalize(features) @ weight.T
        gradient = slope(ARC(cosines, torch.arange(3), s=64.0, m=m), features)
        assert gradient.isfinite().all()
        assert gradient.abs().max() < 64.0


@pytest.mark.parametrize("m", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [0.0, 1e-20, 1e-3, 1e4])
def test_large_margins_of_any_norm_are_finite(m: int, size: float):
    # Norms below the logits are of no head; the angle is then 0 or pi.
    logits = (size * torch.tensor([[1.0, -1.0, 0.5], [-2.0, 0.0, 0.3]])).requires_grad_()
    norms = torch.full((2, 3), size, requires_grad=True)
    for label in range(3):
        targets = torch.full((2,), label)
        value = LARGE(logits, targets, m=m, context=LossContext(norms=norms))
        assert value.isfinite().all()
        assert value.min() >= 0.0
        found = torch.autograd.grad(value.sum(), (logits, norms))
        assert all(one.isfinite().all() for one in found)


def test_a_margin_is_exact_where_the_probability_rounds_to_one():
    # 1 - p is 1e-14 and 5e-31 here, which float32 keeps only in the logits of the others.
    cosines = torch.tensor([[0.5, 0.0, -0.1], [0.9, -0.2, -0.3]])
    targets = torch.tensor([0, 0])
    for loss, m in ((AM, 0.45), (ARC, 0.5)):
        narrow = cosines.clone().requires_grad_()
        wide = cosines.double().requires_grad_()
        found, expected = (loss(c, targets, s=64.0, m=m) for c in (narrow, wide))
        assert_close(found.double(), expected, atol=0, rtol=1e-4)
        slopes = slope(found, narrow).double(), slope(expected, wide)
        assert_close(*slopes, atol=1e-12, rtol=1e-4)


@pytest.mark.filterwarnings("ignore:__array_wrap__ must accept:DeprecationWarning")
@pytest.mark.parametrize("name", ["arcface", "cosface", "l_softmax"])
def test_the_losses_are_those_of_pytorch_metric_learning(name: str):
    theirs = pytest.importorskip("pytorch_metric_learning.losses")
    reducers = pytest.importorskip("pytorch_metric_learning.reducers")
    plain = {"num_classes": 4, "embedding_size": 3, "reducer": reducers.DoNothingReducer()}

    def loss(features: Tensor) -> Tensor:
        cosines = functional.normalize(features) @ functional.normalize(WEIGHTS).T
        if name == "arcface":
            return ARC(cosines, TARGETS, s=16.0, m=math.radians(30.0))
        if name == "cosface":
            return AM(cosines, TARGETS, s=16.0, m=0.35)
        norms = features.norm(dim=1)[:, None] * WEIGHTS.norm(dim=1)
        return LARGE(cosines * norms, TARGETS, m=3, context=LossContext(norms=norms))

    made = {
        "arcface": lambda: theirs.ArcFaceLoss(margin=30.0, scale=16, **plain),
        "cosface": lambda: theirs.CosFaceLoss(margin=0.35, scale=16, **plain),
        "l_softmax": lambda: theirs.LargeMarginSoftmaxLoss(margin=3, scale=1, **plain),
    }[name]()
    made.W.data = WEIGHTS.T.clone()
    same(loss, lambda features: made(features, TARGETS)["loss"]["losses"], FEATURES, 1e-9)
