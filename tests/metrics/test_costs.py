"""Decisions by a cost matrix: brute force, Elkan's thresholds, and their costs."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from autoloss.core.errors import InputError
from autoloss.losses import ClassFacts, LossSpec, Objective
from autoloss.metrics import (
    cost_decisions,
    error,
    example_costs,
    expected_cost,
    label_decisions,
    label_thresholds,
    resolve_metric,
    score,
)
from autoloss.readout import fold_numbers

# Costs of (no, no), (yes, yes), a false yes and a false no, with the threshold they give.
THRESHOLDS = [
    ((0.0, 0.0, 1.0, 10.0), 1 / 11),
    ((0.0, 0.0, 1.0, 5.0), 1 / 6),
    ((0.0, 1.0, 2.0, 12.0), 2 / 13),
    ((0.0, 0.0, 1.0, 1.0), 1 / 2),
]


def matrix(costs: tuple[float, float, float, float]) -> list[list[float]]:
    right_no, right_yes, false_yes, false_no = costs
    return [[right_no, false_yes], [false_no, right_yes]]


def random_costs(n_classes: int, seed: int) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.randn(n_classes, n_classes, generator=random, dtype=torch.float64)


def slowly(log_probs, targets, costs) -> list[list[float]]:
    """Return the cost of each row, decision by decision."""
    paid = []
    for candidate in log_probs.exp().tolist():
        paid.append([])
        for probs, target in zip(candidate, targets.tolist(), strict=True):
            expected = [
                sum(p * costs[c][d] for c, p in enumerate(probs)) for d in range(len(probs))
            ]
            paid[-1].append(costs[target][expected.index(min(expected))])
    return paid


@pytest.mark.parametrize("n_classes", [2, 3, 6])
def test_cost_of_each_row_is_that_of_the_cheapest_decision(make_probs, n_classes):
    log_probs, targets = make_probs(3, 200, n_classes)
    costs = random_costs(n_classes, seed=n_classes)
    expected = torch.tensor(slowly(log_probs, targets, costs.tolist()), dtype=torch.float64)
    assert_close(example_costs(log_probs, targets, costs), expected)
    assert_close(expected_cost(log_probs, targets, costs), expected.mean(-1))


def test_equal_costs_of_all_mistakes_are_the_error(make_probs):
    log_probs, targets = make_probs(4)
    costs = 1.0 - torch.eye(3)
    assert_close(expected_cost(log_probs, targets, costs), error(log_probs, targets))


def test_no_decisions_are_cheaper_where_the_probabilities_are_right():
    random = np.random.default_rng(0)
    probs, costs = random.dirichlet(np.ones(3), 4), random.normal(size=(3, 3))
    chosen = cost_decisions(torch.from_numpy(probs), costs.tolist()).numpy()
    every = [
        np.einsum("nc,nc->", probs, costs[:, list(some)].T)
        for some in itertools.product(range(3), repeat=4)
    ]
    assert np.einsum("nc,nc->", probs, costs[:, chosen].T) == pytest.approx(min(every))


def test_units_and_what_cannot_be_avoided_leave_the_decisions_alone(make_probs):
    log_probs, _ = make_probs(1)
    costs, probs = random_costs(3, seed=1), log_probs.exp()
    moved = 1000.0 * costs + torch.tensor([[3.0], [-70.0], [5.0]])
    assert torch.equal(cost_decisions(probs, costs), cost_decisions(probs, moved))


def test_candidate_without_probabilities_has_no_cost(make_probs):
    log_probs, targets = make_probs(2)
    log_probs[1, 3] = torch.nan
    cost = expected_cost(log_probs, targets, random_costs(3, seed=0))
    assert cost.isnan().tolist() == [False, True]


@pytest.mark.parametrize(("costs", "threshold"), THRESHOLDS)
def test_binary_costs_are_a_threshold(costs, threshold):
    assert label_thresholds(torch.tensor([matrix(costs)])).item() == pytest.approx(threshold)
    for probability, decision in ((threshold - 1e-9, 0), (threshold + 1e-9, 1)):
        probs = torch.tensor([[1.0 - probability, probability]], dtype=torch.float64)
        assert cost_decisions(probs, matrix(costs)).item() == decision


def test_each_label_has_its_own_threshold():
    costs = torch.tensor([matrix(costs) for costs, _ in THRESHOLDS])
    thresholds = label_thresholds(costs)
    assert_close(thresholds, torch.tensor([t for _, t in THRESHOLDS], dtype=torch.float64))
    probs = torch.rand(500, len(costs), generator=torch.Generator().manual_seed(0)).double()
    pairs = torch.stack([1.0 - probs, probs], -1)
    expected = [cost_decisions(pairs[:, label], costs[label]) for label in range(len(costs))]
    found = label_decisions(probs, thresholds)
    assert torch.equal(found, torch.stack(expected, 1).bool())
    assert 0.6 < found.double().mean() < 0.9


@pytest.mark.parametrize(
    ("costs", "message"),
    [
        (torch.zeros(2, 2), r"shape \(L, 2, 2\)"),
        (torch.full((1, 2, 2), torch.nan), "finite numbers"),
        (torch.tensor([matrix((0, 0, 1, 5)), matrix((2, 0, 1, 5))]), r"costs\[1\]=\[\[2.0, 1.0\]"),
    ],
)
def test_costs_of_labels_that_cannot_be_are_refused(costs, message):
    with pytest.raises(InputError, match=message):
        label_thresholds(costs)


@pytest.mark.parametrize("metric", [None, "auroc", "error"])
def test_every_candidate_shows_its_cost_whatever_the_metric_is(metric):
    random = torch.Generator().manual_seed(0)
    targets = (torch.rand(400, generator=random) < 0.2).long()
    logits = torch.randn(2, 400, 2, generator=random) + 2.0 * torch.eye(2)[targets]
    objective = Objective([LossSpec("cross_entropy"), LossSpec("focal")], torch.tensor([320, 80]))
    costs = matrix((0.0, 0.0, 1.0, 5.0))
    resolved = resolve_metric(metric, facts=ClassFacts(torch.ones(2)), cost_matrix=costs)
    scores = score(
        logits, targets, objective, folds=fold_numbers(targets, seed=0), metric=resolved
    )
    # The cost of the shipped probabilities, not of the raw softmax.
    paid = torch.tensor(slowly(scores.predictions.log_probs, targets, costs)).mean(-1)
    assert_close(scores.metrics["expected_cost"], paid.double())
    assert resolved.name == (metric or "expected_cost")
    plain = score(logits, targets, objective, folds=fold_numbers(targets, seed=0), metric=metric)
    assert "expected_cost" not in plain.metrics
