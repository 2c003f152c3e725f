"""OOD scores, and how well they separate OOD rows from in-distribution rows."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.spatial.distance import mahalanobis
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from autoloss.metrics.ood import (
    OF_TEMPERATURE,
    ClassDistance,
    auroc,
    detection,
    energy,
    entropy,
    max_logit,
    max_probability,
)


def margins(margin: float) -> torch.Tensor:
    """Return the logits of a row of ten classes, one of which is ahead."""
    return torch.tensor([[[margin, *[0.0] * 9]]], dtype=torch.float64)


@pytest.mark.parametrize(
    ("temperature", "gap"),
    [(1, 0.796205), (2, 1.402276), (3, 1.448027), (5, 1.153983), (10, 0.663334), (100, 0.071556),
     (1000, 0.007196), (2.602, 1.467088)],
)  # fmt: skip
def test_the_gap_of_the_likelihood_rises_and_falls_with_the_temperature(
    temperature: float, gap: float
) -> None:
    likelihood = [
        -math.log1p(-max_probability(margins(margin), temperature).item()) for margin in (2, 10)
    ]
    assert likelihood[0] - likelihood[1] == pytest.approx(gap, abs=1e-6)


def test_the_energy_is_the_mean_energy_less_the_entropy() -> None:
    logits = torch.tensor([[[2.0, 1.0, 0.1]]], dtype=torch.float64)
    assert energy(logits).item() == pytest.approx(-2.417030, abs=1e-6)
    assert entropy(logits).item() == pytest.approx(0.846738, abs=1e-6)
    mean = -(logits.softmax(-1) * logits).sum().item()
    assert energy(logits).item() == pytest.approx(mean - entropy(logits).item())
    assert max_logit(logits).item() == -2.0
    # At T towards 0 the energy is the largest logit.
    assert energy(logits, 0.01).item() == pytest.approx(max_logit(logits).item())


def test_a_temperature_may_change_the_order_of_rows_and_does_not_for_two_classes() -> None:
    rows = torch.tensor([[[4, 3.9, -9, -9], [1, -0.5, -0.5, -0.5]]])
    assert max_probability(rows, 1.0).argmin() == 1
    assert max_probability(rows, 2.0).argmin() == 0
    two = torch.randn(1, 200, 2, generator=torch.Generator().manual_seed(0))
    order = max_probability(two, 1.0).argsort()
    for temperature in (0.5, 3.0, 30.0):
        assert torch.equal(max_probability(two, temperature).argsort(), order)


def test_training_runs_count_by_their_mean() -> None:
    logits = torch.randn(3, 50, 4, generator=torch.Generator().manual_seed(1)).double()
    probs = logits.softmax(-1).mean(0)
    torch.testing.assert_close(max_probability(logits), 1 - probs.amax(-1))
    torch.testing.assert_close(entropy(logits), torch.distributions.Categorical(probs).entropy())
    each = torch.stack([energy(one[None], 2.0) for one in logits])
    torch.testing.assert_close(energy(logits, 2.0), each.mean(0))
    assert all(score(logits[:1], 1.0).dtype == torch.float64 for score in OF_TEMPERATURE.values())


def test_the_distance_is_that_of_mahalanobis_to_the_nearest_class() -> None:
    random = np.random.default_rng(0)
    targets = random.integers(3, size=400)
    logits = random.normal(size=(400, 3)) + 4 * np.eye(3)[targets]
    fitted = ClassDistance.fit(torch.tensor(logits)[None], torch.tensor(targets))
    shifted = fitted.of(torch.tensor(logits + 7.0)[None])
    torch.testing.assert_close(fitted.of(torch.tensor(logits)[None]), shifted)
    centred = logits - logits.mean(1, keepdims=True)
    means = np.stack([centred[targets == k].mean(0) for k in range(3)])
    off = centred - means[targets]
    covariance = off.T @ off / (400 - 3)
    covariance += 1e-3 * np.trace(covariance) / 3 * np.eye(3)
    inverse = np.linalg.inv(covariance)
    for row in range(5):
        near = min(mahalanobis(centred[row], mean, inverse) ** 2 for mean in means)
        assert fitted.of(torch.tensor(logits)[None])[row].item() == pytest.approx(near)


@pytest.mark.parametrize("rounded", [False, True])
def test_the_figures_equal_those_of_scikit_learn(rounded: bool) -> None:
    random = np.random.default_rng(4)
    known, strange = random.normal(size=300), random.normal(0.8, 1.3, size=120)
    if rounded:
        known, strange = known.round(1), strange.round(1)
    weights = random.integers(0, 4, size=(3, 300)).astype(float), random.random((3, 120))
    found = detection(known, strange, *weights)
    scores, labels = np.r_[known, strange], np.r_[np.zeros(300), np.ones(120)]
    for draw in range(3):
        own = np.r_[weights[0][draw], weights[1][draw]]
        assert found.auroc[draw] == pytest.approx(roc_auc_score(labels, scores, sample_weight=own))
        expected = average_precision_score(labels, scores, sample_weight=own)
        assert found.average_precision[draw] == pytest.approx(expected)
        refused, caught, _ = roc_curve(labels, scores, sample_weight=own, drop_intermediate=False)
        expected = 1 - caught[refused <= 0.05 + 1e-9].max()
        assert found.false_acceptance[draw] == pytest.approx(expected)


def test_the_area_by_ranks_equals_that_of_scikit_learn_with_ties() -> None:
    random = np.random.default_rng(3)
    known, strange = (random.integers(0, 9, n).astype(float) for n in (50, 31))
    labels = np.r_[np.zeros(50), np.ones(31)]
    assert auroc(known, strange) == pytest.approx(roc_auc_score(labels, np.r_[known, strange]))
