from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss, roc_auc_score

from autoloss.losses import ClassFacts
from autoloss.metrics import resolve_metric
from autoloss.verdict import posthoc
from autoloss.verdict.metric_rows import metric_on_rows
from autoloss.verdict.posthoc import PostHoc, fit_posthoc
from tests.verdict.test_confirm import Named, normal


def rare(n=400, seed=0, shift=1.5):
    """Return log probabilities of two classes whose log odds are too low by `shift`."""
    rng = np.random.default_rng(seed)
    odds = 2.0 * rng.normal(size=n) - 1.0
    targets = (rng.random(n) < 1.0 / (1.0 + np.exp(-odds))).astype(int)
    return normal(np.stack([0.0 * odds, odds - shift], axis=1)), targets


def facts_of(counts):
    return ClassFacts(torch.as_tensor(counts))


def named(name, counts, **options):
    return metric_on_rows(resolve_metric(name, **options), facts_of(counts))


def f1(probs, classes):
    decided = probs.argmax(axis=1)
    hits = (decided * classes).sum()
    return float(2 * hits / max(1, decided.sum() + classes.sum()))


F1 = Named("f1", f1)


@pytest.mark.parametrize("seed", range(4))
def test_the_threshold_is_the_best_of_all_by_brute_force(seed):
    log_probs, targets = rare(n=90, seed=seed)
    found = fit_posthoc(
        log_probs, targets, metric=F1, facts=facts_of(np.array([60, 30])), kind="threshold"
    )
    probs = np.exp(log_probs[:, 1])
    best = max(f1(np.eye(2)[(probs > cut).astype(int)], targets) for cut in [-1.0, *probs])
    assert found.metric == pytest.approx(best)
    decided = found.decided(log_probs)
    np.testing.assert_array_equal(decided.argmax(axis=1), probs > found.value)
    assert f1(np.exp(decided), targets) == pytest.approx(best)


def test_ties_go_to_the_middle_of_the_plateau():
    odds = np.array([-4.0, -3.0, -1.0, -0.5])
    log_probs = normal(np.stack([0.0 * odds, odds], axis=1))
    found = fit_posthoc(
        log_probs,
        np.array([0, 0, 1, 1]),
        metric=named("error", [2, 2]),
        facts=facts_of(np.array([2, 2])),
    )
    assert found.kind == "threshold"
    assert np.log(found.value / (1 - found.value)) == pytest.approx(-2.0)
    assert "class 1 above a probability of 0.119" in found.detail


def test_decisions_stay_if_no_shift_is_better():
    odds = np.array([-4.0, -3.0, 1.0, 2.0])
    log_probs = normal(np.stack([0.0 * odds, odds], axis=1))
    found = fit_posthoc(
        log_probs,
        np.array([0, 0, 1, 1]),
        metric=named("error", [2, 2]),
        facts=facts_of(np.array([3, 1])),
    )
    assert found.is_neutral
    assert found.detail == "no threshold is better on the held-out rows"
    np.testing.assert_allclose(found.decided(log_probs), log_probs)


def test_the_class_shares_undo_a_training_on_equal_classes():
    rng = np.random.default_rng(0)
    counts = np.array([800, 150, 50])
    targets = rng.choice(3, 3000, p=counts / 1000)
    features = rng.normal(size=(3000, 3)) + 1.2 * np.eye(3)[targets]
    balanced = normal(1.2 * features)
    error = named("error", counts)
    found = fit_posthoc(balanced, targets, metric=error, facts=facts_of(counts))
    assert found.kind == "prior"
    assert found.value == pytest.approx(-1.0, abs=0.35)
    expected = balanced - found.value * np.log(counts / 1000)
    np.testing.assert_array_equal(found.decided(balanced).argmax(1), expected.argmax(1))
    assert found.metric < error.fn(np.exp(balanced), targets) - 0.05


def test_held_out_rows_alone_decide_between_the_two():
    log_probs, targets = rare()
    how = {"metric": F1, "facts": facts_of([300, 100])}
    both = [fit_posthoc(log_probs, targets, kind=kind, **how) for kind in ("prior", "threshold")]
    assert fit_posthoc(log_probs, targets, **how) == max(both, key=lambda one: one.metric)


@pytest.mark.parametrize("name", ["auroc", "average_precision"])
def test_rankings_have_no_decisions_to_move(name):
    log_probs, targets = rare()
    assert (
        fit_posthoc(log_probs, targets, metric=named(name, [3, 1]), facts=facts_of([3, 1])) is None
    )


@pytest.mark.parametrize(
    "fn",
    [
        lambda probs, classes: log_loss(classes, probs, labels=[0, 1]),
        lambda probs, classes: 1.0 - roc_auc_score(classes, probs[:, 1]),
    ],
)
def test_metrics_of_the_users_that_judge_probabilities_have_none_either(fn):
    log_probs, targets = rare()
    metric = Named("own", fn, True)
    assert fit_posthoc(log_probs, targets, metric=metric, facts=facts_of([3, 1])) is None


@pytest.mark.parametrize(
    ("name", "options"),
    [("balanced_error", {}), ("expected_cost", {"cost_matrix": [[0, 1], [5, 0]]})],
)
def test_a_metric_that_moves_decisions_is_shifted_only_if_that_helps(name, options):
    log_probs, targets = rare(n=3000)
    counts = np.bincount(targets)
    metric = named(name, counts, **options)
    low = fit_posthoc(log_probs, targets, metric=metric, facts=facts_of(counts))
    assert low.metric < metric.fn(np.exp(log_probs), targets)
    odds = np.array([-6.0, -5.0, 5.0, 6.0])
    perfect = normal(np.stack([0.0 * odds, odds], axis=1))
    labels = np.array([0, 0, 1, 1])
    metric = named(name, [2, 2], **options)
    assert fit_posthoc(perfect, labels, metric=metric, facts=facts_of([2, 2])) is None


@pytest.mark.parametrize("n", [1, 2])
def test_next_to_no_rows(n):
    log_probs, targets = rare(n=n)
    found = fit_posthoc(log_probs, targets, metric=named("error", [3, 1]), facts=facts_of([3, 1]))
    assert np.isfinite(found.decided(log_probs)).all()
    assert fit_posthoc(log_probs[:0], targets[:0], metric=F1, facts=facts_of([3, 1])) is None


def test_a_class_without_training_rows_has_a_finite_shift():
    log_probs = normal(np.random.default_rng(0).normal(size=(50, 3)))
    found = fit_posthoc(
        log_probs, np.zeros(50, int), metric=named("error", [9, 1, 0]), facts=facts_of([9, 1, 0])
    )
    assert np.isfinite(found.shifts).all()


def test_probabilities_after_a_shift_are_normal():
    decided = PostHoc("threshold", 0.2, (0.0, 1.4), 0.0).decided(rare()[0])
    np.testing.assert_allclose(np.exp(decided).sum(axis=1), 1.0)


def test_of_very_many_log_probabilities_evenly_spaced_rows_decide(monkeypatch):
    log_probs, targets = rare(n=300)
    asked = {"metric": F1, "facts": facts_of([200, 100]), "kind": "threshold"}
    alone = fit_posthoc(log_probs[::3], targets[::3], **asked)
    monkeypatch.setattr(posthoc, "_MOST_NUMBERS", 200)
    others = np.arange(300) % 3 > 0
    spoilt = np.where(others[:, None], np.nan, log_probs)
    assert fit_posthoc(spoilt, targets, **asked) == alone


@pytest.mark.parametrize(
    ("tau", "words"), [(0.3, "log p - 0.3 x log"), (-0.3, "log p + 0.3 x log")]
)
def test_a_correction_of_either_sign_reads_as_a_formula(tau, words):
    assert PostHoc("prior", tau, (0.1, 0.2), 0.5).detail.startswith(words)
