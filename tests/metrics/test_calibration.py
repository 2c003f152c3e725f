from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.integrate import trapezoid
from scipy.stats import norm

from autoloss.metrics import (
    confidence_ece,
    debiased_calibration_error,
    ece_null,
    reliability,
    smooth_ece,
    top_label,
)

METRICS = [confidence_ece, debiased_calibration_error, smooth_ece]


def test_ece_equals_a_loop_over_right_closed_bins(make_calibrated):
    confidence, correct = make_calibrated(3, 700)
    confidence[:, ::3] = (confidence[:, ::3] * 15).round() / 15
    found = confidence_ece(confidence, correct)
    for k in range(3):
        c, a = confidence[k].numpy(), correct[k].numpy()
        gaps = [abs((a - c)[(c > i / 15) & (c <= (i + 1) / 15)].sum()) / len(c) for i in range(15)]
        assert found[k].item() == pytest.approx(sum(gaps), abs=1e-12)


def test_certain_predictions_fall_in_the_last_bin():
    confidence, correct = torch.ones(1, 10).double(), torch.zeros(1, 10).double()
    assert confidence_ece(confidence, correct).item() == 1


@pytest.mark.parametrize(("n", "ece"), [(200, 0.0534), (1000, 0.0237), (5000, 0.0105)])
def test_null_level_is_what_a_calibrated_model_shows(make_calibrated, n, ece):
    confidence, correct = make_calibrated(400, n)
    simulated = confidence_ece(confidence, correct)
    error_of_mean = simulated.std().item() / math.sqrt(400)
    null = ece_null(confidence).mean().item()
    assert null == pytest.approx(simulated.mean().item(), abs=4 * error_of_mean + 0.01 * ece)
    assert simulated.mean().item() == pytest.approx(ece, abs=4 * error_of_mean + 0.01 * ece)


@pytest.mark.parametrize(
    ("n", "smooth", "debiased"), [(200, 0.038, -0.0003), (1000, 0.022, -0.00003)]
)
def test_values_of_a_calibrated_model(make_calibrated, n, smooth, debiased):
    confidence, correct = make_calibrated(300, n)
    assert smooth_ece(confidence, correct).mean().item() == pytest.approx(smooth, abs=0.002)
    found = debiased_calibration_error(confidence, correct)
    error_of_mean = found.std().item() / math.sqrt(300)
    assert found.mean().item() == pytest.approx(debiased, abs=4 * error_of_mean)


def test_debiased_error_finds_a_constant_gap(make_calibrated):
    confidence, correct = make_calibrated(200, 2000)
    found = debiased_calibration_error((confidence - 0.1).clamp_min(0), correct)
    assert found.mean().item() == pytest.approx(0.01, abs=0.0003)


def test_debiased_error_equals_a_loop_over_equal_bins(make_calibrated):
    confidence, correct = make_calibrated(2, 300)
    for k, found in enumerate(debiased_calibration_error(confidence, correct)):
        order = confidence[k].argsort()
        total = 0.0
        for rows in order.split(20):
            gap = correct[k, rows].mean() - confidence[k, rows].mean()
            total += 20 * (gap**2 - correct[k, rows].var(unbiased=True) / 20).item()
        assert found.item() == pytest.approx(total / 300, abs=1e-12)


def brute_smooth_ece(confidence, correct):
    """Bisect for the width; integrate the reflected kernel's residual on a fine grid."""
    t = np.linspace(0, 1, 1001)
    residual = (correct - confidence) / len(confidence)

    def at(width):
        images = [sign * confidence + 2 * shift for shift in (-1, 0, 1) for sign in (1, -1)]
        kernel = sum(norm.pdf(t[:, None], image[None], width) for image in images)
        return trapezoid(np.abs(kernel @ residual), t)

    low, high = 0.0, 1.0
    for _ in range(16):
        middle = (low + high) / 2
        low, high = (middle, high) if middle < at(middle) else (low, middle)
    return at(high)


@pytest.mark.parametrize("shift", [0.0, 0.05, 0.3])
def test_smooth_ece_equals_direct_integration(make_calibrated, shift):
    confidence, correct = make_calibrated(2, 80, seed=1)
    confidence = confidence - shift
    found = smooth_ece(confidence, correct)
    for k in range(2):
        expected = brute_smooth_ece(confidence[k].numpy(), correct[k].numpy())
        assert found[k].item() == pytest.approx(expected, abs=2e-4)


def test_smooth_ece_of_a_constant_prediction_is_its_gap():
    confidence = torch.full((1, 100), 0.7).double()
    correct = (torch.arange(100) < 40).double()[None]
    assert smooth_ece(confidence, correct).item() == pytest.approx(0.3, abs=1e-3)


@pytest.mark.parametrize("metric", METRICS)
def test_permuting_rows_changes_nothing(make_calibrated, metric):
    confidence, correct = make_calibrated(2, 500)
    confidence = (confidence * 40).round() / 40
    order = torch.randperm(500, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        metric(confidence[:, order], correct[:, order]), metric(confidence, correct)
    )


@pytest.mark.parametrize("metric", METRICS)
def test_together_equals_alone(make_calibrated, metric):
    confidence, correct = make_calibrated(5, 500)
    together = metric(confidence, correct)
    alone = [
        metric(one[None], right[None]) for one, right in zip(confidence, correct, strict=True)
    ]
    torch.testing.assert_close(together, torch.cat(alone), rtol=0, atol=1e-10)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("n", [1, 2, 14, 15, 16])
def test_few_rows_give_a_number(make_calibrated, metric, n):
    confidence, correct = make_calibrated(2, n)
    assert torch.isfinite(metric(confidence, correct)).all()


@pytest.mark.parametrize("metric", METRICS)
def test_a_nan_stays_with_its_candidate(make_calibrated, metric):
    confidence, correct = make_calibrated(3, 100)
    clean = metric(confidence, correct)
    confidence[1, 5] = torch.nan
    found = metric(confidence, correct)
    assert found.isnan().tolist() == [False, True, False]
    assert found[[0, 2]].tolist() == clean[[0, 2]].tolist()


def test_top_label_is_the_largest_probability(make_probs):
    log_probs, targets = make_probs()
    confidence, correct = top_label(log_probs.float(), targets)
    torch.testing.assert_close(confidence, log_probs.exp().amax(-1), rtol=1e-5, atol=0)
    assert correct.bool().tolist() == (log_probs.argmax(-1) == targets).tolist()


def test_reliability_of_a_calibrated_model_lies_in_its_band():
    random = torch.Generator().manual_seed(0)
    log_probs = torch.log_softmax(2 * torch.randn(1500, 3, generator=random), -1)
    inside = total = 0
    for _ in range(40):
        targets = torch.multinomial(log_probs.exp(), 1, generator=random).squeeze(-1)
        found = reliability(log_probs, targets, name="challenger")
        assert sum(found.count) == 1500
        for accuracy, low, high in zip(found.accuracy, found.low, found.high, strict=True):
            inside += low <= accuracy <= high
            total += 1
    assert inside / total == pytest.approx(0.96, abs=0.02)


def test_copies_of_an_example_make_no_band_narrower():
    chance = torch.Generator().manual_seed(3)
    log_probs = torch.randn(600, 3, generator=chance, dtype=torch.float64).log_softmax(-1)
    targets = torch.multinomial(log_probs.exp(), 1, generator=chance)[:, 0]

    def width(copies: int, *, clusters: bool) -> float:
        own = torch.arange(600).repeat(copies) if clusters else None
        many = log_probs.repeat(copies, 1), targets.repeat(copies)
        found = reliability(*many, name="x", clusters=own)
        return float(np.subtract(found.high, found.low).mean())

    once = width(1, clusters=False)
    assert width(5, clusters=False) < 0.5 * once
    assert width(1, clusters=True) == once
    assert width(5, clusters=True) == pytest.approx(once, rel=0.1)


def test_reliability_sums_to_the_debiased_error(make_probs):
    log_probs, targets = make_probs(1)
    found = reliability(log_probs[0], targets, name="cross-entropy")
    count, accuracy = np.array(found.count), np.array(found.accuracy)
    gap = (accuracy - np.array(found.confidence)) ** 2
    expected = (count * (gap - accuracy * (1 - accuracy) / (count - 1))).sum() / count.sum()
    error = debiased_calibration_error(*top_label(log_probs, targets))
    assert error.item() == pytest.approx(expected, abs=1e-12)


def test_reliability_of_one_confidence_is_one_bin():
    log_probs = torch.tensor([[0.7, 0.3]]).log().expand(50, 2)
    found = reliability(log_probs, torch.arange(50) % 2, name="challenger")
    assert (found.count, found.accuracy) == ((50,), (0.5,))
    assert found.confidence == pytest.approx((0.7,))
