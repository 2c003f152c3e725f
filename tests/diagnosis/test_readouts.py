"""Read-outs: cross-fitted gains against scikit-learn and the plain formulas."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.special import log_softmax
from sklearn.metrics import log_loss

from autoloss.diagnosis.labelled import checked_predictions
from autoloss.diagnosis.readouts import readouts_of
from autoloss.diagnosis.shift import fit_shift
from autoloss.readout import fold_numbers
from tests.diagnosis.cases import drawn, probabilities


def reads(logits, labels, **options):
    return readouts_of(checked_predictions(logits, labels, kind="logits", **options), {})


def named(found, label):
    return next(one for one in found.rows if one.label == label)


def test_the_log_loss_as_given_equals_scikit_learns():
    logits, labels = drawn(sharpness=2.0)
    weights = np.random.default_rng(0).uniform(0, 2, len(labels))
    found = reads(logits, labels, weights=weights)
    theirs = log_loss(labels, probabilities(logits), sample_weight=weights)
    assert found.rows[0].log_loss == pytest.approx(theirs, abs=1e-12)


def test_a_known_temperature_and_its_gain_are_recovered():
    logits, labels = drawn(6000, sharpness=2.0)
    row = named(reads(logits, labels), "as given + temperature")
    assert row.temperature == pytest.approx(2.0, rel=0.05)
    truth = log_loss(labels, probabilities(logits)) - log_loss(labels, probabilities(logits / 2))
    assert row.low < truth < row.high
    assert row.gain == pytest.approx(truth, abs=2e-3)


def test_calibrated_predictions_keep_their_readout():
    assert sum(reads(*drawn(1000, seed=seed)).best > 0 for seed in range(10)) <= 1


def test_a_shift_is_the_maximum_of_the_penalised_likelihood():
    logits, labels = drawn(800)
    logits = logits + np.array([1.0, 0.0, -1.0, 0.0])
    predictions = checked_predictions(
        logits, labels, kind="logits", weights=np.linspace(0.5, 1.5, 800)
    )
    folds = fold_numbers(predictions.targets)
    weight = predictions.row_weights.numpy()
    ones = torch.ones(800, dtype=torch.float64)
    whole, per_fold = fit_shift(
        predictions.log_probs, ones, predictions.targets, predictions.row_weights, folds
    )

    def plain(b, rows):
        log_p = log_softmax(logits[rows] + b, axis=1)[np.arange(rows.sum()), labels[rows]]
        return -(weight[rows] * log_p).sum() + 0.5 * (b**2).sum()

    every = np.ones(800, dtype=bool)
    np.testing.assert_allclose(whole, minimize(plain, np.zeros(4), args=(every,)).x, atol=1e-4)
    rows = folds.numpy() != 2
    best = minimize(plain, np.zeros(4), args=(rows,)).x
    np.testing.assert_allclose(per_fold[2], best, atol=1e-4)


def test_one_correction_per_fold_is_as_good_as_solving_each(monkeypatch):
    logits, labels = drawn(4000)
    predictions = checked_predictions(logits + np.array([2.0, 0, 0, 0]), labels, kind="logits")
    folds = fold_numbers(predictions.targets)
    parts = (
        predictions.log_probs,
        torch.ones(4000).double(),
        predictions.targets,
        predictions.row_weights,
        folds,
    )
    _, exact = fit_shift(*parts)
    monkeypatch.setattr("autoloss.diagnosis.shift._EXACT_UP_TO", 0)
    _, quick = fit_shift(*parts)
    np.testing.assert_allclose(quick, exact, atol=2e-3)


def test_a_shifted_prior_is_found_and_preferred_to_a_temperature():
    logits, labels = drawn(3000)
    found = reads(logits + np.array([1.5, 0, 0, 0]), labels)
    best = found.rows[found.best]
    assert best.label == "prior shift"
    shift = np.array(best.shift)
    assert shift[0] - shift[1:].mean() == pytest.approx(-1.5, abs=0.15)


def test_correct_rows_with_one_mistake_have_a_finite_log_loss():
    labels = np.arange(60) % 3
    logits = 20.0 * np.eye(3)[labels]
    logits[7] = -logits[7]
    found = reads(logits, labels)
    assert all(np.isfinite(one.log_loss) for one in found.rows)
    # The most that a row may cost: ln((n + 1) C).
    assert found.rows[1].log_loss <= np.log(61 * 3)


def test_weights_count_in_the_temperature():
    logits, labels = drawn(600, sharpness=3.0)
    times = np.random.default_rng(1).integers(0, 3, 600)
    times[:4] = 1
    weighted = named(reads(logits, labels, weights=times), "as given + temperature")
    repeated = reads(logits.repeat(times, 0), labels.repeat(times))
    other = named(repeated, "as given + temperature")
    assert weighted.temperature == pytest.approx(other.temperature, rel=1e-5)
