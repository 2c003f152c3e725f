"""Calibration errors equal those of the metrics, beside the level of a calibrated model."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.calibration import calibration_curve

from autoloss.diagnosis import calibration
from autoloss.diagnosis.calibration import calibration_of, reliability_of
from autoloss.diagnosis.labelled import checked_predictions
from autoloss.metrics import (
    confidence_ece,
    debiased_calibration_error,
    ece_null,
    reliability,
    smooth_ece,
    top_label,
)
from tests.diagnosis.cases import drawn, probabilities


def test_errors_are_those_of_the_metrics():
    logits, labels = drawn(sharpness=1.5)
    predictions = checked_predictions(logits, labels, kind="logits")
    found = calibration_of(predictions)
    one = top_label(predictions.log_probs[None], predictions.targets)
    assert found.ece.value == pytest.approx(confidence_ece(*one).item(), abs=1e-12)
    assert found.smooth.value == pytest.approx(smooth_ece(*one).item(), abs=1e-12)
    debiased = debiased_calibration_error(*one).item()
    assert found.debiased.value == pytest.approx(debiased, abs=1e-12)
    assert found.ece.null == pytest.approx(ece_null(one[0]).item(), rel=0.1)
    assert all(e.is_shown for e in (found.ece, found.smooth, found.debiased))


def test_calibrated_predictions_are_seldom_called_miscalibrated(monkeypatch):
    monkeypatch.setattr(calibration, "DRAWS", 60)
    shown = 0
    for seed in range(12):
        logits, labels = drawn(200, seed=seed)
        found = calibration_of(checked_predictions(logits, labels, kind="logits"), seed=seed)
        assert found.ece.null < found.ece.high
        shown += found.ece.is_shown
    # One in twenty by chance.
    assert shown <= 3


def test_drawn_sums_have_the_distribution_of_drawn_rows(monkeypatch):
    logits, labels = drawn(4000)
    weights = np.random.default_rng(0).uniform(0.2, 2.0, 4000)
    predictions = checked_predictions(logits, labels, kind="logits", weights=weights)
    exact = calibration_of(predictions)
    monkeypatch.setattr(calibration, "_EXACT_UP_TO", 0)
    quick = calibration_of(predictions)
    for name in ("ece", "smooth", "debiased"):
        one, other = getattr(exact, name), getattr(quick, name)
        assert one.value == other.value
        assert one.high == pytest.approx(other.high, rel=0.1), name


def test_a_weight_of_two_equals_a_repeated_row(monkeypatch):
    logits, labels = drawn(500, sharpness=2.0)
    times = np.random.default_rng(1).integers(1, 4, 500)
    monkeypatch.setattr(calibration, "DRAWS", 5)
    weighted = calibration_of(checked_predictions(logits, labels, kind="logits", weights=times))
    repeated = calibration_of(
        checked_predictions(logits.repeat(times, 0), labels.repeat(times), kind="logits")
    )
    assert weighted.ece.value == pytest.approx(repeated.ece.value, abs=1e-12)
    assert weighted.smooth.value == pytest.approx(repeated.smooth.value, abs=1e-9)


def test_the_diagram_equals_the_metrics_and_scikit_learns():
    logits, labels = drawn(2000, classes=2)
    predictions = checked_predictions(logits, labels, kind="logits")
    found = reliability_of(predictions.log_probs, predictions, name="x")
    theirs = reliability(predictions.log_probs, predictions.targets, name="x")
    for column in ("confidence", "accuracy", "low", "high"):
        np.testing.assert_allclose(getattr(found, column), getattr(theirs, column), atol=1e-12)
    assert found.count == theirs.count
    confidence, correct = top_label(predictions.log_probs[None], predictions.targets)
    accuracy, mean = calibration_curve(
        correct[0].numpy(), confidence[0].numpy(), n_bins=15, strategy="quantile"
    )
    np.testing.assert_allclose(found.confidence, mean, atol=0.01)
    np.testing.assert_allclose(found.accuracy, accuracy, atol=0.03)


def test_probabilities_are_taken_as_they_are():
    logits, labels = drawn(200)
    probs = probabilities(logits)
    one = checked_predictions(probs, labels, kind="probabilities")
    other = checked_predictions(logits, labels, kind="logits")
    torch.testing.assert_close(one.log_probs, other.log_probs)
