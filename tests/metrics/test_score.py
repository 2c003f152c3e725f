from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn import metrics as oracle

from autoloss.core.errors import InputError
from autoloss.losses import LossSpec, Objective
from autoloss.metrics import score, score_with
from autoloss.readout import fold_numbers

SPECS = [
    LossSpec.from_dict({"base": "cross_entropy"}),
    LossSpec.from_dict({"base": "focal", "focal.gamma": 2.0}),
    LossSpec.from_dict({"base": "cross_entropy", "prior": "logit_adjust"}),
]
ALWAYS = {
    *("error", "balanced_error", "raw_error", "log_loss", "refined_log_loss", "raw_log_loss"),
    *("calibration_loss", "brier", "debiased_calibration_error", "ece", "ece_null"),
    *("smooth_ece", "temperature"),
}


@pytest.fixture
def scored(make_probs):
    """Scores of three candidates, their logits, classes and objective."""

    def make(n_classes=2, n=400, **options):
        logits, targets = make_probs(3, n, n_classes)
        logits = 3 * logits
        counts = torch.arange(1, n_classes + 1) * 100
        objective = Objective(SPECS, counts, dtype=torch.float64)
        scores = score(logits, targets, objective, folds=fold_numbers(targets), **options)
        return scores, logits, targets, objective

    return make


def test_every_metric_has_a_value_for_every_candidate(scored):
    binary, several = scored(2)[0].metrics, scored(4)[0].metrics
    assert set(several) == ALWAYS
    assert set(binary) == ALWAYS | {"average_precision", "auroc"}
    for value in (*binary.values(), *several.values()):
        assert value.shape == (3,)
        assert torch.isfinite(value).all()


@pytest.mark.parametrize("n_classes", [2, 4])
def test_metrics_are_of_the_shipped_probabilities(scored, n_classes):
    scores, logits, targets, objective = scored(n_classes)
    found, classes = scores.metrics, targets.numpy()
    probs = scores.readouts.log_probs.exp().numpy()
    prior = (objective.class_counts / objective.class_counts.sum()).numpy()
    for k in range(3):
        decided, balanced = probs[k].argmax(-1), (probs[k] / prior).argmax(-1)
        raw = torch.softmax(logits[k], -1).numpy()
        expected = {
            "error": 1 - oracle.accuracy_score(classes, decided),
            "raw_error": 1 - oracle.accuracy_score(classes, raw.argmax(-1)),
            "balanced_error": 1 - oracle.balanced_accuracy_score(classes, balanced),
            "log_loss": oracle.log_loss(classes, probs[k]),
            "refined_log_loss": oracle.log_loss(classes, probs[k]),
            "raw_log_loss": oracle.log_loss(classes, raw),
            "brier": oracle.brier_score_loss(classes, probs[k], scale_by_half=False),
            "temperature": 1 / scores.readouts.row(k).inverse_temperature,
        }
        for name, value in expected.items():
            assert found[name][k].item() == pytest.approx(value), name
    torch.testing.assert_close(
        found["calibration_loss"], found["raw_log_loss"] - found["refined_log_loss"]
    )
    torch.testing.assert_close(scores.example_wrong.double().mean(-1), found["error"])
    torch.testing.assert_close(scores.example_log_loss.mean(-1), found["log_loss"])


def test_rankings_are_of_the_scores_and_not_of_probabilities_mixed_over_folds(scored):
    scores, logits, targets, _ = scored(2)
    # Neither a temperature nor the shift of the prior changes the order of two classes.
    area = oracle.roc_auc_score(targets.numpy(), (logits[0, :, 1] - logits[0, :, 0]).numpy())
    assert scores.metrics["auroc"][0].item() == pytest.approx(area)


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_a_diverged_candidate_is_nan_and_disturbs_nobody(scored, n_classes, bad):
    clean, logits, targets, objective = scored(n_classes)
    logits[1, 17, 1] = bad
    found = score(logits, targets, objective, folds=fold_numbers(targets))
    for name, value in found.metrics.items():
        assert value.isnan().tolist() == [False, True, False], name
        expected = clean.metrics[name][[0, 2]]
        torch.testing.assert_close(value[[0, 2]], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_together_equals_alone(scored, n_classes):
    together, logits, targets, objective = scored(n_classes)
    for k in range(3):
        alone = score(logits[[k]], targets, objective.keep([k]), folds=fold_numbers(targets))
        for name, value in alone.metrics.items():
            assert value.item() == pytest.approx(together.row(k)[name], abs=1e-10), name


def test_read_outs_of_validation_rows_are_applied_to_locked_rows(scored, make_probs):
    scores, _, _, objective = scored(3)
    logits, targets = make_probs(3, 100, 3, seed=5)
    locked = score_with(scores.readouts, logits, targets, objective)
    assert set(locked.metrics) == set(scores.metrics)
    assert locked.metrics["temperature"].tolist() == scores.metrics["temperature"].tolist()
    for k in range(3):
        shipped = scores.readouts.row(k).log_probs(logits[k], objective.class_counts).exp()
        expected = oracle.log_loss(targets.numpy(), shipped.numpy())
        assert locked.metrics["log_loss"][k].item() == pytest.approx(expected)
    # Row by row: the other rows change nothing.
    fewer = score_with(scores.readouts, logits[:, :10], targets[:10], objective)
    assert torch.equal(fewer.example_log_loss, locked.example_log_loss[:, :10])


def test_a_function_takes_the_place_of_the_error(scored):
    def cost(probs, targets):
        return float(np.mean(1 - probs[np.arange(len(targets)), targets]))

    cost.lower_is_better = True
    scores = scored(3, metric=cost)[0]
    probs = torch.exp(-scores.example_log_loss)
    torch.testing.assert_close(scores.value, 1 - probs.mean(-1))
    assert scores.row(0)["cost"] == scores.metrics["cost"][0].item()


def test_a_function_with_the_name_of_a_metric_is_refused(scored):
    def brier(probs, targets):
        return 0.0

    brier.lower_is_better = True
    with pytest.raises(InputError, match="unique name, but got name='brier'"):
        scored(3, metric=brier)


def test_constant_predictions_decide_for_the_first_class():
    objective = Objective(SPECS[:1], torch.tensor([10, 10, 10]))
    targets = torch.arange(30) % 3
    scores = score(torch.zeros(1, 30, 3), targets, objective, folds=fold_numbers(targets))
    assert scores.row(0)["error"] == pytest.approx(2 / 3)
    assert scores.row(0)["log_loss"] == pytest.approx(math.log(3), abs=1e-6)
    assert scores.readouts.names == ("softmax",)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_a_class_that_is_absent_breaks_nothing(scored, n_classes):
    _, logits, targets, objective = scored(n_classes)
    targets = targets.clamp_max(n_classes - 2)
    found = score(logits, targets, objective, folds=fold_numbers(targets))
    undefined = {"auroc", "average_precision"}
    for name, value in found.metrics.items():
        assert torch.isfinite(value).all() == (name not in undefined), name


@pytest.mark.parametrize("n", [2, 3, 7])
def test_few_rows_give_numbers(scored, n):
    found = scored(3, n)[0]
    assert all(torch.isfinite(value).all() for value in found.metrics.values())


@pytest.mark.parametrize(
    ("logits", "targets", "message"),
    [
        (torch.zeros(4, 3), torch.zeros(4, dtype=torch.int64), "Logits must have the shape"),
        (torch.zeros(1, 0, 3), torch.zeros(0, dtype=torch.int64), "Logits must have the shape"),
        (torch.zeros(1, 4, 3), torch.zeros(5, dtype=torch.int64), "a class for each row"),
        (torch.zeros(1, 4, 3), torch.zeros(4), "whole numbers"),
        (torch.zeros(1, 4, 3), torch.tensor([0, 1, 2, 3]), r"in \[0, 3\), but got .* \[0, 3\]"),
    ],
)
def test_logits_and_targets_that_do_not_fit_are_refused(logits, targets, message):
    objective = Objective(SPECS[:1], torch.tensor([10, 10, 10]))
    with pytest.raises(InputError, match=message):
        score(logits, targets, objective, folds=torch.zeros(4, dtype=torch.int64))
