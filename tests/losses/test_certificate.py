"""The certificate agrees with the literature on each loss, and finds degenerate losses."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from autoloss.core.errors import InputError
from autoloss.losses import LossContext, certify, declare, get, names
from autoloss.losses.certificate import _posteriors
from autoloss.losses.minimum import ExpectedLoss

KINDS = {
    "strictly proper": ("cross_entropy", "brier", "spherical", "power", "squared_emd"),
    "invertible": (
        "focal",
        "generalized_cross_entropy",
        "poly1",
        "sm_softmax",
        "bi_tempered",
        "symmetric_cross_entropy",
        "inverse_focal",
        "square",
        "squared_hinge",
        "entmax",
        "logit_norm",
        "am_softmax",
        "ldam",
    ),
    "classification-calibrated": ("mae", "nce_rce", "taylor_cross_entropy"),
    "degenerate": ("crammer_singer", "weston_watkins"),
}


def log_p(logits: Tensor, targets: Tensor) -> Tensor:
    return logits.log_softmax(-1).gather(-1, targets[:, None])[:, 0]


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    return -log_p(logits, targets)


def normalised_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    return log_p(logits, targets) / logits.log_softmax(-1).sum(-1)


def constant(logits: Tensor, targets: Tensor) -> Tensor:
    return 0.0 * logits.sum(-1)


def without_a_minimum(logits: Tensor, targets: Tensor) -> Tensor:
    return -logits.gather(-1, targets[:, None])[:, 0]


def upside_down(logits: Tensor, targets: Tensor) -> Tensor:
    return log_p(logits, targets).exp()


def fond_of_the_first(logits: Tensor, targets: Tensor) -> Tensor:
    return 1.0 - log_p(logits, targets).exp() * (1.0 + 3.0 * (targets == 0))


def squared_hit(logits: Tensor, targets: Tensor) -> Tensor:
    return 1.0 - log_p(logits, targets).exp().square()


@pytest.mark.parametrize(("kind", "name"), [(k, n) for k, some in KINDS.items() for n in some])
def test_the_kind_of_each_loss_is_the_known_one(kind: str, name: str):
    found = certify(get(name))
    assert found.kind == kind
    assert found.text.startswith(f"{name} is {kind} with 4 classes: ")
    assert (found.n_classes, found.n_posteriors) == (4, 6)
    assert (found.softmax_error < 1e-6) == (kind == "strictly proper")
    assert (found.readout_error < 1e-5) == (kind in ("strictly proper", "invertible"))


@pytest.mark.parametrize(
    ("function", "kind"),
    [
        (cross_entropy, "strictly proper"),
        (normalised_cross_entropy, "degenerate"),
        (constant, "degenerate"),
        (without_a_minimum, "degenerate"),
        (upside_down, "degenerate"),
        (fond_of_the_first, "degenerate"),
        (squared_hit, "classification-calibrated"),
    ],
)
def test_a_plain_function_is_certified_alike(function, kind: str):
    found = certify(function)
    assert found.kind == kind
    assert found.text.startswith(f"{function.__name__} is {kind}")


def test_the_margin_of_crammer_and_singer_is_right_for_two_classes():
    assert certify(get("crammer_singer"), 2).kind == "classification-calibrated"


def test_parameters_decide():
    bi_tempered = get("bi_tempered")
    assert certify(bi_tempered, 3, t1=0.5, t2=1.0).kind == "strictly proper"
    assert certify(bi_tempered, 3, t1=0.5, t2=1.3).kind == "invertible"
    assert certify(get("focal"), 3, gamma=0.0).kind == "strictly proper"


def test_a_loss_for_pairs_is_certified_with_two_classes():
    found = certify(get("asymmetric"), 2)
    assert found.kind == "invertible"
    assert found.softmax_error > 0.1
    assert "the read-out that it declares gives the posterior" in str(found)


def test_a_readout_that_nobody_declared_is_found():
    @declare(source="here", local=True)
    def of_its_own(log_p):
        """Press on towards 1."""
        return -log_p - torch.expm1(log_p)

    found = certify(of_its_own)
    assert found.kind == "invertible"
    assert "the null vector of its slopes gives the posterior" in found.text


def test_what_a_loss_needs_is_given_with_it():
    elr = get("elr")
    with pytest.raises(InputError, match="elr must be given row_ids"):
        certify(elr)
    # With nothing remembered it is cross-entropy.
    nothing = LossContext(row_ids=torch.zeros(1), memory=torch.zeros(4, dtype=torch.float64))
    assert certify(elr, context=nothing).kind == "strictly proper"


def test_posteriors_are_of_every_kind():
    for n_classes in (2, 3, 4, 10):
        found = _posteriors(n_classes, seed=0)
        assert_close(found.sum(-1), torch.ones(6, dtype=torch.float64))
        assert found.min() > 0.0
        assert found[3].max() > 0.7
        assert found[4].max() - found[4].min() < 0.1 / n_classes
        lead = found[5].topk(2).values
        assert lead[0] - lead[1] > 0.08
        assert n_classes == 2 or lead[0] < 0.5
    assert not torch.equal(_posteriors(4, seed=0)[:3], _posteriors(4, seed=1)[:3])


def test_the_minimum_below_another_class_is_where_both_are_equal():
    posterior = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
    expected = ExpectedLoss(cross_entropy, posterior)
    assert_close(expected.minimum().logits.softmax(-1), posterior, atol=1e-8, rtol=0)
    wrong = expected.minimum(first=1, over=0)
    tied = torch.tensor([0.4, 0.4, 0.2], dtype=torch.float64)
    assert_close(wrong.logits.softmax(-1), tied, atol=1e-7, rtol=0)
    assert wrong.value == pytest.approx(-(posterior * tied.log()).sum().item(), abs=1e-12)


def test_a_minimum_at_a_kink_is_found():
    posterior = torch.tensor([0.6, 0.3, 0.1], dtype=torch.float64)
    found = ExpectedLoss(get("crammer_singer"), posterior).minimum()
    # One above the others, where every other label costs 2 and the likeliest nothing.
    assert found.value == pytest.approx(0.8, abs=1e-9)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda z, y: -log_p(z, y).mean(), r"must give one value per example, but got shape \(\)"),
        (lambda z, y: log_p(z, y) * torch.nan, "must be finite somewhere"),
        (lambda z, y: (z.argmax(-1) != y).double(), "must have a slope by its logits"),
    ],
)
def test_what_is_no_loss_is_told(function, message: str):
    with pytest.raises(InputError, match=message):
        certify(function)
    with pytest.raises(InputError, match="n_classes must be at least 2"):
        certify(function, 1)


def test_what_a_loss_declares_is_what_is_certified():
    for name in names(task="multiclass"):
        loss = get(name)
        if loss.proper:
            assert certify(loss, 3).kind == "strictly proper"
