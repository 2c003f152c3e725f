"""The declared read-out of every loss recovers a known posterior, alone and in a product."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch import Tensor
from torch.testing import assert_close

from autoloss import losses
from autoloss.losses import Loss, LossSpec, Objective, null_vector
from autoloss.losses.minimum import FAR, ExpectedLoss, Minimum
from autoloss.losses.registry import OWN, forget_results

from .cases import SMOOTH, context_for, draw, each, label, read, sizes_for

COUNTS = torch.tensor([50.0, 30.0, 15.0, 5.0], dtype=torch.float64)
# These bound the logits, or leave unlikely classes no probability or hardly any; nearly equal ones
# they keep. With one term Taylor's is the mean absolute error, which keeps none.
SPARSE = ("generalized_cross_entropy", "logit_norm", "taylor_cross_entropy")
# Nearly equal, so that every minimum lies at logits of ordinary size, and a skewed one.
FLAT = torch.tensor([0.30, 0.26, 0.23, 0.21], dtype=torch.float64)
SKEWED = torch.tensor([0.55, 0.05, 0.25, 0.15], dtype=torch.float64)


def minimum(value, n_classes: int) -> Tensor:
    """Return logits at which `value` of logits ``(C,)`` is least."""

    def fun(flat: np.ndarray) -> tuple[float, np.ndarray]:
        logits = torch.tensor(flat, requires_grad=True)
        out = value(logits)
        return out.item(), torch.autograd.grad(out, logits)[0].numpy()

    start = np.linspace(-0.3, 0.2, n_classes)
    found = minimize(fun, start, jac=True, method="BFGS", options={"gtol": 1e-11, "maxiter": 500})
    return torch.tensor(found.x)


def minimum_of(loss: Loss, posterior: Tensor, **setting: float) -> Minimum:
    """Return where the expectation of a loss is least, by logits that its head can give."""

    def function(logits: Tensor, targets: Tensor) -> Tensor:
        return loss(logits, targets, context=context_for(loss, logits), **setting)

    bound = 1.0 if loss.head == "cosine" else FAR
    return ExpectedLoss(function, posterior, bound=bound).minimum()


def posteriors(n_classes: int) -> Tensor:
    """Return random posteriors, one a row, the last one nearly equal."""
    drawn = draw(3, n_classes, seed=5).mul(0.7).softmax(-1)
    equal = torch.linspace(1.02, 0.98, n_classes, dtype=torch.float64) / n_classes
    return torch.cat([drawn, equal[None]])


def fits_one_posterior(loss: Loss, logits: Tensor, **setting: float) -> bool:
    """Return whether the slopes at these logits ``(C,)`` leave one posterior alone."""
    context = context_for(loss, logits[None].repeat_interleave(len(logits), 0))
    found = null_vector(lambda z, y: loss(z, y, context=context, **setting), logits[None])
    return bool((found.residual < 1e-6) & (found.gap > 1e-5))


@pytest.mark.parametrize(("loss", "setting"), each(some=SMOOTH), ids=label)
def test_readout_recovers_the_posterior_at_the_minimum(loss: Loss, setting):
    (n_classes,) = sizes_for(loss, 4)
    recovered = 0
    for posterior in posteriors(n_classes):
        best = minimum_of(loss, posterior, **setting).logits
        found = read(loss, best[None], **setting)[0]
        if fits_one_posterior(loss, best, **setting):
            assert_close(found, posterior, atol=2e-6, rtol=0)
        # Slopes that leave several posteriors may still be read rightly by a formula.
        recovered += bool((found - posterior).abs().max() < 2e-6)
    is_sparse = loss.name in SPARSE and recovered > 0
    assert recovered == len(posteriors(n_classes)) or is_sparse or setting == {"t": 1}


@pytest.mark.parametrize("name", ["weston_watkins", "crammer_singer"])
def test_no_posterior_can_be_read_from_a_hinge(name: str):
    loss = losses.get(name)
    best = minimum(lambda z: loss(z[None], SKEWED[None])[0] + 1e-9 * z.square().sum(), 4)
    found = null_vector(loss, best[None])
    assert not torch.allclose(found.probs[0], SKEWED, atol=0.02)
    assert not loss.has_exact_readout


AROUND = [
    {},
    {"temperature": 2.0},
    {"prior": "class_weight", "class_weight.power": 0.7},
    {"prior": "logit_adjust", "logit_adjust.tau": 1.5},
    {"target": "smoothing", "smoothing.epsilon": 0.2},
    {
        "prior": "class_weight",
        "class_weight.power": 1.0,
        "target": "smoothing",
        "smoothing.epsilon": 0.1,
        "temperature": 0.5,
    },
    {
        "prior": "logit_adjust",
        "logit_adjust.tau": 1.0,
        "target": "smoothing",
        "smoothing.epsilon": 0.3,
        "temperature": 3.0,
    },
]


@pytest.mark.parametrize("around", AROUND, ids=lambda a: "-".join(map(str, a.values())) or "plain")
@pytest.mark.parametrize("loss", SMOOTH, ids=label)
def test_composite_readout_recovers_the_posterior(loss: Loss, around):
    (n_classes,) = sizes_for(loss, 4)
    flat = FLAT[:n_classes] / FLAT[:n_classes].sum()
    terms = {}
    if loss.name == "taylor_cross_entropy":
        # Classes that are less likely by this factor, the prior's weights counted, are left out.
        terms = {"taylor_cross_entropy.t": 10}
        around = {
            **around,
            **({"class_weight.power": 0.7} if "class_weight.power" in around else {}),
        }
    spec = LossSpec.from_dict({"base": loss.name, **terms, **around})
    objective = Objective([spec], COUNTS[:n_classes], dtype=torch.float64)
    best = minimum(lambda z: objective(z[None, None], flat[None])[0, 0], n_classes)
    assert_close(objective.log_links(best[None, None])[0, 0].exp(), flat, atol=2e-6, rtol=0)


@pytest.mark.parametrize("prior", ["class_weight", "logit_adjust"])
def test_prior_correction_recovers_the_posterior_of_a_proper_loss(prior: str):
    spec = LossSpec.from_dict({"base": "brier", "prior": prior, "temperature": 2.0})
    objective = Objective([spec], COUNTS, dtype=torch.float64)
    best = minimum(lambda z: objective(z[None, None], FLAT[None])[0, 0], 4)
    corrected = objective.prior_corrected(best[None, None])[0, 0].softmax(-1)
    assert_close(corrected, FLAT, atol=2e-6, rtol=0)


@pytest.mark.parametrize("loss", SMOOTH, ids=label)
def test_readout_of_a_confident_float32_network_is_that_of_float64(loss: Loss):
    # p rounds to 1 in float32 here, while the rest still decides the read-out.
    (n_classes,) = sizes_for(loss, 3)
    logits = torch.tensor([[30.0, 0.0, -3.0], [18.0, 0.0, 17.0], [0.0, 80.0, 5.0]])
    logits = logits[:, :n_classes] * (1.0 / 16.0 if loss.head == "cosine" else 1.0)
    context = context_for(loss, logits)
    narrow = loss.readout(logits, context=context)
    wide = loss.readout(logits.double(), context=context)
    # Of a probability that is 0 in truth the logarithm is that of the smallest number.
    is_number = wide > -85.0
    assert_close(narrow.double()[is_number], wide[is_number], atol=1e-4, rtol=1e-5)
    assert bool((narrow[~is_number] < -80.0).all())


@losses.declare(source="here", local=True, link=losses.by_gradient)
def bounded(log_p: Tensor) -> Tensor:
    """Cross-entropy bounded at 4/3, whose slope vanishes where p does."""
    return -torch.expm1(0.75 * log_p) / 0.75


@pytest.mark.parametrize("penalty", ["none", "confidence"])
def test_a_derived_readout_of_float32_logits_is_that_of_float64(penalty: str, monkeypatch):
    monkeypatch.setitem(OWN, "bounded", bounded)
    forget_results()
    logits = torch.tensor([[[300.0, 0.0, -30.0], [18.0, 0.0, 17.0]]])
    spec = LossSpec("bounded", penalty=penalty)
    narrow, wide = (
        Objective([spec], COUNTS[:3], dtype=dtype).log_links(logits.to(dtype))
        for dtype in (torch.float32, torch.float64)
    )
    assert_close(narrow.double(), wide, atol=1e-4, rtol=1e-6)
    monkeypatch.undo()
    forget_results()


@pytest.mark.parametrize("loss", SMOOTH, ids=label)
def test_readout_is_normalised_at_the_ends_of_float32(loss: Loss):
    (n_classes,) = sizes_for(loss, 3)
    logits = torch.tensor([[1e4, -1e4, 0.0], [0.0, 0.0, 0.0]])[:, :n_classes]
    assert_close(read(loss, logits).sum(-1), torch.ones(2), atol=1e-5, rtol=0)


def test_unsmoothing_clips_what_would_be_negative():
    spec = LossSpec.from_dict({"base": "cross_entropy", "target": "smoothing"})
    objective = Objective([spec], torch.ones(3))
    log_probs = objective.log_links(torch.tensor([[[9.0, 0.0, 0.0]]]))
    assert log_probs.isfinite().all()
    assert_close(log_probs.logsumexp(-1), torch.zeros(1, 1), atol=1e-6, rtol=0)
    assert log_probs[0, 0, 1] < -15.0


def test_binary_null_vector_is_the_ratio_of_the_slopes():
    loss = losses.get("focal")
    logits = draw(5, 1)
    pair = torch.cat([logits, torch.zeros_like(logits)], 1).requires_grad_()
    slopes = [
        torch.autograd.grad(loss(pair, torch.full((5,), c)).sum(), pair)[0][:, 0] for c in (0, 1)
    ]
    expected = slopes[1] / (slopes[1] - slopes[0])
    assert_close(null_vector(loss, pair).probs[:, 0], expected)
