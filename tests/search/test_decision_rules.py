"""The cost of each decision rule, and priors undone in probabilities."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from autoloss.losses import ClassFacts, LossSpec, Objective
from autoloss.search.decision_rules import RuledModel, prior_undone, rule_costs

COSTS = ((0.0, 1.0), (5.0, 0.0))


def drawn(n: int):
    random = np.random.default_rng(0)
    positive = random.beta(1.0, 2.0, n)
    targets = (random.random(n) < positive).astype(np.int64)
    return torch.tensor(np.stack([1 - positive, positive], 1)).log(), targets


def test_true_probabilities_cost_least_and_intervals_hold_the_mean() -> None:
    log_probs, targets = drawn(4000)
    sharp = (4.0 * log_probs).log_softmax(-1)
    model = RuledModel("cross-entropy", calibrated=log_probs, raw=sharp)
    found = {one.rule: one for one in rule_costs([model], targets, COSTS, None, seed=0)}
    assert list(found) == ["one", "likeliest", "raw", "calibrated"]
    price = np.asarray(COSTS)
    by_hand = price[targets, (log_probs[:, 1].exp() > 1 / 6).long().numpy()]
    assert found["calibrated"].cost.value == pytest.approx(by_hand.mean())
    assert found["one"].cost.value == pytest.approx((targets == 0).mean())
    assert found["calibrated"].cost.value < found["raw"].cost.value < found["likeliest"].cost.value
    saved = found["calibrated"].saved
    gain = found["likeliest"].cost.value - found["calibrated"].cost.value
    assert saved.value == pytest.approx(gain)
    assert 0.0 < saved.low < saved.value < saved.high
    width = 2 * 1.96 * by_hand.std() / np.sqrt(len(targets))
    cost = found["calibrated"].cost
    assert cost.high - cost.low == pytest.approx(width, rel=0.15)


def test_clusters_widen_the_interval() -> None:
    log_probs, targets = drawn(500)
    many = np.tile(np.arange(500), 8)
    model = RuledModel("challenger", calibrated=log_probs[many])
    alone, together = (
        rule_costs([model], targets[many], COSTS, clusters, seed=0)[-1].cost
        for clusters in (None, many)
    )
    ratio = (together.high - together.low) / (alone.high - alone.low)
    assert ratio == pytest.approx(np.sqrt(8), rel=0.2)


@pytest.mark.parametrize("prior", ["class_weight", "logit_adjust", "effective_number"])
def test_a_prior_is_undone_in_the_mean_of_training_runs_as_in_each(prior: str) -> None:
    facts = ClassFacts(torch.tensor([900.0, 60.0, 40.0]))
    logits = torch.randn(50, 3, dtype=torch.float64, generator=torch.manual_seed(0))
    spec = LossSpec.from_dict({"base": "cross_entropy", "prior": prior})
    raw = logits.log_softmax(-1)
    found = prior_undone(raw, spec, facts)
    wanted = Objective([spec], facts, dtype=torch.float64).prior_corrected(logits[None])[0]
    torch.testing.assert_close(found, wanted.log_softmax(-1))
    assert not torch.allclose(found, raw)


def test_a_loss_without_a_shift_has_nothing_to_undo() -> None:
    facts, raw = ClassFacts(torch.tensor([90.0, 10.0])), torch.zeros(4, 2).log_softmax(-1)
    for loss in (
        {"base": "focal"},
        {"base": "cross_entropy", "prior": "vector_scaling"},
        {"base": "logit_norm", "prior": "class_weight"},
    ):
        assert prior_undone(raw, LossSpec.from_dict(loss), facts) is None
