"""Metrics of several labels a row: equal to scikit-learn's, with thresholds from other rows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn import metrics as sklearn_metrics

from autoloss.core.errors import InputError
from autoloss.losses import ClassFacts, LossSpec, Objective
from autoloss.metrics import Judged, resolve_metric, score
from autoloss.metrics.known import DECLARED
from autoloss.metrics.label_places import LabelPlaces
from autoloss.metrics.label_thresholds import crossfitted_decisions, f1_thresholds
from autoloss.readout import Items, fold_numbers

RATES = np.array([0.08, 0.2, 0.5, 0.9])
FACTS = ClassFacts(torch.tensor([[92.0, 8], [80, 20], [50, 50], [10, 90]]), task="multilabel")


def drawn(n: int = 400, k: int = 3, *, missing: float = 0.0, noise: float = 0.5, seed: int = 0):
    """Return logits (K, N, L), calibrated without noise, and answers (N, L), -1 where missing."""
    random = np.random.default_rng(seed)
    base = np.log(RATES / (1 - RATES)) + 1.5 * random.standard_normal((n, len(RATES)))
    answers = (random.random(base.shape) < 1 / (1 + np.exp(-base))).astype(np.int64)
    logits = base + noise * random.standard_normal((k, n, len(RATES)))
    answers[random.random(base.shape) < missing] = -1
    return torch.from_numpy(logits), torch.from_numpy(answers)


def judged_of(logits: torch.Tensor, answers: torch.Tensor) -> Judged:
    items = Items.of(answers, FACTS)
    log_probs = items.scores(FACTS.over_classes(logits)).log_softmax(-1)
    places = LabelPlaces.of(items, FACTS)
    return Judged(
        scores=log_probs, are_logs=True, classes=items.labels, facts=FACTS, places=places
    )


def test_metrics_equal_those_of_scikit_learn() -> None:
    logits, answers = drawn()
    judged = judged_of(logits, answers)
    decided = judged._at_thresholds.reshape(3, -1, 4)
    truth = answers.numpy()
    for k in range(3):
        probs = logits[k].sigmoid().numpy()
        half = probs > 0.5
        expected = {
            "error": sklearn_metrics.hamming_loss(truth, half),
            "accuracy": 1 - sklearn_metrics.hamming_loss(truth, half),
            "subset_error": 1 - sklearn_metrics.accuracy_score(truth, half),
            "average_precision": sklearn_metrics.average_precision_score(truth, probs),
            "average_precision_weighted": sklearn_metrics.average_precision_score(
                truth, probs, average="weighted"
            ),
            "auroc": sklearn_metrics.roc_auc_score(truth, probs),
            "log_loss": sklearn_metrics.log_loss(truth.ravel(), probs.ravel()),
            "brier": 2 * sklearn_metrics.brier_score_loss(truth.ravel(), probs.ravel()),
        }
        for average in ("macro", "micro"):
            at_half = sklearn_metrics.f1_score(truth, half, average=average)
            expected[f"f1_{average}_at_half"] = at_half
        for average in ("macro", "micro", "weighted"):
            for name in ("f1", "precision", "recall", "jaccard"):
                function = getattr(sklearn_metrics, f"{name}_score")
                expected[f"{name}_{average}"] = function(truth, decided[k], average=average)
        expected["f1"] = expected["f1_micro"]
        found = {name: float(judged.value(DECLARED[name].function)[k]) for name in expected}
        assert found == pytest.approx(expected, abs=1e-9)


def test_missing_labels_count_nowhere_and_constant_labels_are_in_no_mean() -> None:
    logits, answers = drawn(missing=0.3)
    answers[:, 2] = answers[:, 2].clamp_max(0)
    judged = judged_of(logits, answers)
    parts, weights, areas = [], [], []
    for label in (0, 1, 3):
        known = answers[:, label] >= 0
        own = answers[known, label].numpy(), logits[0, known, label].numpy()
        parts.append(sklearn_metrics.average_precision_score(*own))
        areas.append(sklearn_metrics.roc_auc_score(*own))
        weights.append(own[0].sum())
    values = {
        name: float(judged.value(DECLARED[name].function)[0])
        for name in ("average_precision", "average_precision_weighted", "auroc")
    }
    assert values == pytest.approx(
        {
            "average_precision": np.mean(parts),
            "average_precision_weighted": np.average(parts, weights=weights),
            "auroc": np.mean(areas),
        }
    )
    wrong = ((logits[0] > 0).long() != answers) & (answers >= 0)
    some = (answers >= 0).any(1)
    subset = judged.value(DECLARED["subset_error"].function)[0]
    assert float(subset) == pytest.approx(float(wrong[some].any(1).double().mean()))
    only = judged_of(logits[..., :1].expand_as(logits), torch.zeros_like(answers))
    assert torch.isnan(only.value(DECLARED["auroc"].function)).all()


def test_the_calibration_of_labels_is_the_mean_of_each() -> None:
    from autoloss.metrics import debiased_calibration_error

    logits, answers = drawn()
    found = judged_of(logits, answers).value(DECLARED["calibration_of_labels"].function)
    each = [
        debiased_calibration_error(
            logits[..., label].sigmoid(), answers[:, label].double().expand(3, -1)
        )
        for label in range(4)
    ]
    torch.testing.assert_close(found, torch.stack(each).mean(0))
    assert float(found[0]) < 0.01
    # Pooled, a label that is too likely hides another that is too unlikely.
    moved = torch.tensor([2.0, 0.0, 0.0, -2.0])
    biased = judged_of(logits + moved, answers)
    assert float(biased.value(DECLARED["calibration_of_labels"].function)[0]) > 0.03


def test_a_threshold_has_the_highest_f1_where_yes_is_frequent() -> None:
    logits, answers = drawn(20_000, 1, noise=0.0)
    judged = judged_of(logits, answers)
    places = judged.places
    assert places is not None
    log_odds, yes = logits[0].flatten().numpy(), answers.flatten().numpy() == 1
    found = f1_thresholds(log_odds, yes, places)
    for label, threshold in enumerate(found):
        own, truth = logits[0, :, label].numpy(), answers[:, label].numpy()
        tried = np.quantile(own, np.linspace(0.01, 0.99, 300))
        best = max(sklearn_metrics.f1_score(truth, own > one) for one in tried)
        assert sklearn_metrics.f1_score(truth, own > threshold) > best - 0.004
        # The best threshold of calibrated probabilities is half the F1 (Lipton et al., 2014).
        assert 1 / (1 + np.exp(-threshold)) == pytest.approx(best / 2, abs=0.07)
    assert found[0] < found[3]


def test_thresholds_are_those_of_the_other_folds() -> None:
    logits, answers = drawn(60, 1)
    items = Items.of(answers, FACTS)
    places = LabelPlaces.of(items, FACTS)
    assert places is not None
    log_odds, yes = logits[0].flatten().numpy(), items.labels.numpy() == 1
    decided = crossfitted_decisions(log_odds, yes, places)
    folds = places.folds()
    assert len(np.unique(folds)) == 5
    for row in range(60):
        assert len(np.unique(folds[places.rows == row])) == 1
    for fold in range(5):
        own = folds == fold
        # The decision does not depend on the answers of its own fold, but for how many there are.
        swapped = yes.copy()
        for label in range(4):
            here = np.flatnonzero(own & (places.numbers == label))
            swapped[here] = np.roll(yes[here], 1)
        again = crossfitted_decisions(log_odds, swapped, places)
        assert (again[own] == decided[own]).all()
    # A row that is drawn twice is in one fold, so that no copy decides for the other.
    twice = places.take(np.r_[0:8, 0:8])
    assert (twice.folds()[:8] == twice.folds()[8:]).all()


def test_f1_at_fitted_thresholds_finds_rare_labels() -> None:
    judged = judged_of(*drawn(2_000))
    fitted, half = (
        judged.value(DECLARED[name].function) for name in ("f1_macro", "f1_macro_at_half")
    )
    assert (fitted > half + 0.02).all()


def test_every_trial_has_the_metrics_of_labels() -> None:
    logits, answers = drawn(missing=0.1)
    logits[1, 0, 0] = torch.nan
    objective = Objective([LossSpec("cross_entropy")] * 3, FACTS, dtype=torch.float64)
    items = Items.of(answers, FACTS)
    folds = fold_numbers(items.n_rows)
    scores = score(logits, items, objective, folds=folds, metric="average_precision_weighted")
    wanted = {"subset_error", "f1_macro", "f1_micro", "f1_macro_at_half", "calibration_of_labels"}
    assert {*wanted, "average_precision_weighted"} <= set(scores.metrics)
    for name in wanted:
        values = scores.metrics[name]
        assert values.isnan().tolist() == [False, True, False], name
    alone = score(
        logits[2:],
        items,
        Objective([LossSpec("cross_entropy")], FACTS, dtype=torch.float64),
        folds=folds,
        metric="average_precision_weighted",
    )
    assert alone.row(0) == pytest.approx(scores.row(2))


def test_a_metric_of_labels_is_refused_for_one_label() -> None:
    for name in ("subset_error", "average_precision_weighted", "calibration_of_labels"):
        with pytest.raises(InputError, match="must have several labels per row"):
            resolve_metric(name, facts=ClassFacts(torch.ones(2)))
        assert resolve_metric(name, facts=FACTS).name == name
