from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from autoloss.losses import ClassFacts
from autoloss.metrics import resolve_metric
from autoloss.readout import Items
from autoloss.verdict.metric_rows import example_losses, metric_on_rows
from autoloss.verdict.resampling import jackknife_error
from tests.verdict.test_confirm import draw


def test_expected_cost_is_that_of_the_cheapest_decisions():
    log_probs, _, targets = draw(n=200)
    costs = np.array([[0.0, 1.0, 2.0], [5.0, 0.0, 1.0], [9.0, 3.0, 0.0]])
    metric = resolve_metric(None, cost_matrix=costs.tolist())
    found = metric_on_rows(metric, ClassFacts(torch.ones(3)))
    paid = costs[targets, (np.exp(log_probs) @ costs).argmin(axis=1)]
    assert (found.name, found.lower_is_better) == ("expected_cost", True)
    assert found.fn(np.exp(log_probs), targets) == pytest.approx(paid.mean())


def test_rankings_are_scikit_learns():
    log_probs, _, targets = draw(n=200, classes=2)
    found = metric_on_rows(resolve_metric("auroc"), ClassFacts(torch.ones(2)))
    expected = roc_auc_score(targets, log_probs[:, 1] - log_probs[:, 0])
    assert found.fn(np.exp(log_probs), targets) == pytest.approx(expected)


def test_examples_leave_whole_clusters_out():
    one, other, targets = draw(n=40, classes=2)
    rows = np.repeat(np.arange(40), 3)
    log_probs = torch.from_numpy(np.stack([one, other])[:, rows])
    labels = torch.from_numpy(targets[rows])
    scores = SimpleNamespace(
        metric=resolve_metric("auroc"),
        predictions=SimpleNamespace(log_probs=log_probs),
        example_log_loss=torch.zeros(2, 120),
        example_wrong=torch.zeros(2, 120, dtype=torch.bool),
    )
    facts = ClassFacts(torch.ones(2))
    alone, together = (
        example_losses(scores, Items.of(labels, facts).clustered(clusters), facts=facts, seed=0)
        for clusters in (None, torch.from_numpy(rows))
    )
    errors = [
        jackknife_error(part[0].metric_without - part[1].metric_without)
        for part in (alone, together)
    ]
    # Rows that stand three times tell no more than once.
    assert errors[1] == pytest.approx(np.sqrt(3.0) * errors[0], rel=0.4)
