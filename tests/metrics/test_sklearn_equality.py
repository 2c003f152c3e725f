from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from autoloss.metrics import auroc, average_precision, balanced_error, brier, error, log_loss


def each(function, values, targets):
    return [function(targets.numpy(), one.numpy()) for one in values]


@pytest.mark.parametrize("n_classes", [2, 3, 10])
def test_error(make_probs, n_classes):
    log_probs, targets = make_probs(n_classes=n_classes)
    accuracy = each(oracle.accuracy_score, log_probs.argmax(-1), targets)
    np.testing.assert_allclose(error(log_probs, targets), 1 - np.array(accuracy))


@pytest.mark.parametrize("n_classes", [2, 3, 10])
def test_balanced_error(make_probs, n_classes):
    log_probs, targets = make_probs(n_classes=n_classes)
    accuracy = each(oracle.balanced_accuracy_score, log_probs.argmax(-1), targets)
    np.testing.assert_allclose(balanced_error(log_probs, targets), 1 - np.array(accuracy))


def test_balanced_error_decides_by_probability_over_prior(make_probs):
    log_probs, targets = make_probs(n_classes=3)
    counts = torch.tensor([50, 300, 1000])
    decisions = (log_probs.exp() / counts).argmax(-1)
    accuracy = each(oracle.balanced_accuracy_score, decisions, targets)
    found = balanced_error(log_probs, targets, class_counts=counts)
    np.testing.assert_allclose(found, 1 - np.array(accuracy))
    own = balanced_error(log_probs, targets, class_counts=counts.expand(4, 3))
    assert own.tolist() == found.tolist()


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
def test_a_class_without_an_example_does_not_count(make_probs):
    log_probs, targets = make_probs(n_classes=4)
    targets = targets % 3
    accuracy = each(oracle.balanced_accuracy_score, log_probs.argmax(-1), targets)
    np.testing.assert_allclose(balanced_error(log_probs, targets), 1 - np.array(accuracy))


def test_a_class_that_was_never_trained_is_never_decided_for(make_probs):
    log_probs, targets = make_probs(n_classes=3)
    never = torch.tensor([10, 0, 10])
    found = balanced_error(log_probs, torch.ones_like(targets), class_counts=never)
    assert found.tolist() == [1] * 4


@pytest.mark.parametrize("n_classes", [2, 3, 10])
def test_log_loss(make_probs, n_classes):
    log_probs, targets = make_probs(n_classes=n_classes)
    theirs = each(oracle.log_loss, log_probs.exp(), targets)
    np.testing.assert_allclose(log_loss(log_probs, targets), theirs)


@pytest.mark.parametrize("n_classes", [2, 3, 10])
def test_brier_is_the_sum_over_classes(make_probs, n_classes):
    log_probs, targets = make_probs(n_classes=n_classes)
    theirs = [
        oracle.brier_score_loss(targets.numpy(), one.exp().numpy(), scale_by_half=False)
        for one in log_probs
    ]
    np.testing.assert_allclose(brier(log_probs, targets), theirs)


def test_brier_of_a_worked_example():
    log_probs = torch.tensor([[[0.8, 0.1, 0.1]], [[0.8, 0.15, 0.05]]], dtype=torch.float64).log()
    torch.testing.assert_close(
        brier(log_probs, torch.tensor([0])), torch.tensor([0.06, 0.065], dtype=torch.float64)
    )


@settings(max_examples=100)
@given(st.integers(2, 60), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_rankings_with_ties(n, levels, seed):
    random = torch.Generator().manual_seed(seed)
    scores = torch.randint(levels, (3, n), generator=random).double()
    targets = torch.randint(2, (n,), generator=random)
    targets[0], targets[1] = 0, 1
    areas = each(oracle.roc_auc_score, scores, targets)
    np.testing.assert_allclose(auroc(scores, targets), areas, atol=1e-12)
    precisions = each(oracle.average_precision_score, scores, targets)
    np.testing.assert_allclose(average_precision(scores, targets), precisions, atol=1e-12)


def test_rankings_of_real_scores(make_probs):
    log_probs, targets = make_probs(n_classes=2, n=2000)
    scores = log_probs[..., 1] - log_probs[..., 0]
    np.testing.assert_allclose(auroc(scores, targets), each(oracle.roc_auc_score, scores, targets))
    np.testing.assert_allclose(
        average_precision(scores, targets), each(oracle.average_precision_score, scores, targets)
    )


@pytest.mark.parametrize("temperature", [1e-3, 0.5, 7.0, 1000.0])
def test_a_temperature_does_not_change_the_ranking_of_two_classes(make_probs, temperature):
    log_probs, targets = make_probs(n_classes=2)
    scores = log_probs[..., 1] - log_probs[..., 0]
    assert auroc(scores / temperature, targets).tolist() == auroc(scores, targets).tolist()


@pytest.mark.parametrize("label", [0, 1])
def test_a_ranking_of_one_class_has_no_area(label):
    scores, targets = torch.arange(5.0)[None], torch.full((5,), label)
    assert auroc(scores, targets).isnan().all()
    assert average_precision(scores, targets).isnan().all() == (label == 0)


@pytest.mark.parametrize("metric", [error, balanced_error, log_loss, brier])
def test_a_nan_stays_with_its_candidate(make_probs, metric):
    log_probs, targets = make_probs()
    clean = metric(log_probs, targets)
    log_probs[1, 3] = torch.nan
    found = metric(log_probs, targets)
    assert found.isnan().tolist() == [False, True, False, False]
    assert found[[0, 2, 3]].tolist() == clean[[0, 2, 3]].tolist()


@pytest.mark.parametrize("metric", [auroc, average_precision])
def test_a_nan_in_a_ranking_stays_with_its_candidate(make_probs, metric):
    log_probs, targets = make_probs(n_classes=2)
    scores = log_probs[..., 1].clone()
    scores[1, 3] = torch.nan
    assert metric(scores, targets).isnan().tolist() == [False, True, False, False]
