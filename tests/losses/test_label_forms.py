"""Losses of several labels against their closed forms on (K, N, L), with missing labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.testing import assert_close

from autoloss import losses
from autoloss.losses import ClassFacts, LossSpec, Objective
from autoloss.search import load_space

COUNTS = torch.tensor([[50.0, 50.0], [90.0, 10.0], [30.0, 70.0]], dtype=torch.float64)
FACTS = ClassFacts(COUNTS, task="multilabel")


def margin(z: Tensor, y: Tensor) -> Tensor:
    """Return the logit of the true answer against the other."""
    return z * (2 * y - 1)


def asymmetric(p: Tensor, z: Tensor, y: Tensor) -> Tensor:
    yes, shifted = z.sigmoid(), (z.sigmoid() - 0.05).clamp_min(0.0)
    loss_no = -(shifted**4) * torch.log1p(-shifted)
    return torch.where(y == 1, -(1 - yes) * yes.log(), loss_no)


def power(p: Tensor, z: Tensor, y: Tensor) -> Tensor:
    return -(p**0.5 - 1) / 0.5 + (p**1.5 + (1 - p) ** 1.5 - 1) / 1.5


# By the probability p of the true answer; z and y where it needs the logit.
FORMS: dict[str, tuple[dict[str, Any], Callable[[Tensor, Tensor, Tensor], Tensor]]] = {
    "cross_entropy": ({}, lambda p, z, y: functional.softplus(z) - y * z),
    "brier": ({}, lambda p, z, y: 2 * (z.sigmoid() - y) ** 2),
    "asymmetric": ({"gamma_pos": 1.0, "gamma_neg": 4.0, "m": 0.05}, asymmetric),
    "focal": ({"gamma": 2.0}, lambda p, z, y: -((1 - p) ** 2) * p.log()),
    "inverse_focal": ({"gamma": 0.5}, lambda p, z, y: -((1 + p) ** 0.5) * p.log()),
    "power": ({"beta": 1.5}, power),
    "poly1": ({"epsilon": 2.0}, lambda p, z, y: -p.log() + 2 * (1 - p)),
    "generalized_cross_entropy": ({"q": 0.7}, lambda p, z, y: (1 - p**0.7) / 0.7),
    "taylor_cross_entropy": ({"t": 2}, lambda p, z, y: (1 - p) + (1 - p) ** 2 / 2),
    "spherical": ({}, lambda p, z, y: -p / (p**2 + (1 - p) ** 2).sqrt()),
    "mae": ({}, lambda p, z, y: 1 - p),
    "sm_softmax": ({"m": 0.3}, lambda p, z, y: functional.softplus(0.3 - margin(z, y))),
    "squared_hinge": ({}, lambda p, z, y: (1 - margin(z, y)).clamp_min(0) ** 2),
    "weston_watkins": ({"p": 1}, lambda p, z, y: (1 - margin(z, y)).clamp_min(0) / 2),
}  # fmt: skip


def drawn(k: int, n: int = 40) -> tuple[Tensor, Tensor, Tensor]:
    """Return logits (K, N, L), answers (N, L), and where an answer is known."""
    generator = torch.Generator().manual_seed(3)
    logits = 2.5 * torch.randn(k, n, 3, generator=generator, dtype=torch.float64)
    answers = (torch.rand(n, 3, generator=generator) < 0.4).long()
    return logits, answers, torch.rand(n, 3, generator=generator) > 0.2


def spec_of(name: str, **more: Any) -> LossSpec:
    own = {f"{name}.{key}": value for key, value in FORMS[name][0].items()}
    return LossSpec.from_dict({"base": name, **own, **more})


def test_candidates_together_have_their_closed_forms() -> None:
    names = list(FORMS)
    logits, answers, _ = drawn(len(names))
    values = Objective([spec_of(name) for name in names], FACTS, dtype=torch.float64)(
        logits, answers
    )
    for k, name in enumerate(names):
        z, y = logits[k], answers.double()
        assert_close(values[k], FORMS[name][1](margin(z, y).sigmoid(), z, y), msg=name)


@pytest.mark.parametrize("name", FORMS)
def test_missing_labels_are_in_neither_mean_nor_gradient(name: str) -> None:
    logits, answers, is_known = drawn(1)
    logits = logits[0].requires_grad_()
    value = spec_of(name).module(COUNTS, task="multilabel")(
        logits, answers.masked_fill(~is_known, -1)
    )
    y = answers.double()
    assert_close(value, FORMS[name][1](margin(logits, y).sigmoid(), logits, y)[is_known].mean())
    (slope,) = torch.autograd.grad(value, logits)
    assert (slope[~is_known] == 0.0).all()
    assert (slope[is_known] != 0.0).any()


@pytest.mark.parametrize("name", ["cross_entropy", "focal", "brier"])
def test_priors_shift_and_weigh_each_label_by_its_own_rows(name: str) -> None:
    logits, answers, _ = drawn(1)
    z, y = logits[0], answers.double()
    share = COUNTS[:, 1] / COUNTS.sum(1)
    form = FORMS[name][1]

    def value(**more: Any) -> Tensor:
        spec = spec_of(name, **more)
        return Objective([spec], FACTS, dtype=torch.float64)(logits, answers)[0]

    shifted = z + 1.5 * torch.log(share / (1 - share))
    found = value(prior="logit_adjust", **{"logit_adjust.tau": 1.5})
    assert_close(found, form(margin(shifted, y).sigmoid(), shifted, y))
    # The weight of yes against no is a power of the rows, and the mean weight of a row is 1.
    ratio = ((1 - share) / share) ** 0.5
    no = 1 / (share * ratio + (1 - share))
    weights = torch.where(y == 1, no * ratio, no)
    found = value(prior="class_weight", **{"class_weight.power": 0.5})
    assert_close(found, weights * form(margin(z, y).sigmoid(), z, y))
    # Cui et al. 2019: the effective number of rows in the place of their number.
    effective = 1 - 0.9**COUNTS
    ratio = effective[:, 0] / effective[:, 1]
    no = 1 / (share * ratio + (1 - share))
    weights = torch.where(y == 1, no * ratio, no)
    found = value(prior="effective_number", **{"effective_number.decay": 0.1})
    assert_close(found, weights * form(margin(z, y).sigmoid(), z, y))


def test_smoothing_of_labels_is_a_half_of_epsilon_for_the_other_answer() -> None:
    logits, answers, _ = drawn(1)
    spec = spec_of("cross_entropy", target="smoothing", **{"smoothing.epsilon": 0.2})
    found = Objective([spec], FACTS, dtype=torch.float64)(logits, answers)[0]
    smooth = 0.8 * answers.double() + 0.1
    expected = functional.binary_cross_entropy_with_logits(logits[0], smooth, reduction="none")
    assert_close(found, expected)


def test_the_space_of_labels_has_every_base_and_prior_that_has_a_form_for_them() -> None:
    space = load_space("multilabel")
    own = {name for name in losses.names(task="multilabel") if losses.get(name).same_as is None}
    assert set(space.bases) == own
    assert "asymmetric" in space.bases[:3]
    assert set(space.priors) == {"none", "class_weight", "effective_number", "logit_adjust"}
