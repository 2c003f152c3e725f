from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from autoloss.losses import ClassFacts
from autoloss.metrics import resolve_metric
from autoloss.readout import Items
from autoloss.verdict.comparisons import compare_metric, standard_error
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


def several_labels(n=90, seed=0):
    """Return the log probabilities (2, M, 2) and the items of several labels, some missing."""
    random = np.random.default_rng(seed)
    answers = (random.random((n, 3)) < [0.2, 0.5, 0.7]).astype(np.int64)
    logits = answers + random.standard_normal((2, n, 3))
    answers[random.random((n, 3)) < 0.1] = -1
    facts = ClassFacts(torch.tensor([[80.0, 20], [50, 50], [30, 70]]), task="multilabel")
    items = Items.of(torch.from_numpy(answers), facts)
    log_probs = items.scores(facts.over_classes(torch.from_numpy(logits))).log_softmax(-1)
    return log_probs, items, facts


@pytest.mark.parametrize("name", ["average_precision", "subset_error", "f1_macro"])
def test_a_metric_of_labels_knows_the_labels_of_some_items(name):
    log_probs, items, facts = several_labels()
    probs, targets = log_probs[0].exp().numpy(), items.labels.numpy()
    metric = metric_on_rows(resolve_metric(name), facts, items)
    rows = items.rows.numpy()
    kept = rows < 60
    own = Items.of(torch.where(torch.arange(90)[:, None] < 60, answers_of(items), -1), facts)
    expected = metric_on_rows(resolve_metric(name), facts, own).fn(probs[kept], targets[kept])
    assert metric.among(kept).fn(probs[kept], targets[kept]) == expected
    # A row that is drawn twice counts twice.
    drawn = np.flatnonzero(kept).repeat(2)
    again = metric.among(drawn).fn(probs[drawn], targets[drawn])
    assert again == pytest.approx(expected, abs=0.03 if name == "f1_macro" else 1e-12)


def answers_of(items):
    found = torch.full((90 * 3,), -1)
    found[items.places] = items.labels
    return found.view(90, 3)


def test_models_are_compared_and_selected_by_a_metric_of_labels():
    log_probs, items, facts = several_labels()
    one, other = log_probs.numpy()
    clusters = items.cluster_numbers
    metric = metric_on_rows(resolve_metric("average_precision"), facts, items)
    tested = compare_metric(
        metric, one, other, items.labels.numpy(), clusters=clusters, resamples=300
    )
    same = compare_metric(metric, one, one, items.labels.numpy(), clusters=clusters, resamples=20)
    assert same.comparison.difference == same.comparison.low == same.comparison.high == 0.0
    scores = SimpleNamespace(
        metric=resolve_metric("average_precision"),
        predictions=SimpleNamespace(log_probs=log_probs),
        example_log_loss=torch.zeros(log_probs.shape[:2]),
        example_wrong=torch.zeros(log_probs.shape[:2], dtype=torch.bool),
    )
    losses = example_losses(scores, items, facts=facts, seed=0)
    error = jackknife_error(losses[0].metric_without - losses[1].metric_without)
    assert standard_error(tested.comparison) == pytest.approx(error, rel=0.5)
    assert losses[0].metric_without.mean() == pytest.approx(tested.comparison.challenger, abs=0.01)
