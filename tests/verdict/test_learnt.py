from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import log_loss

from autoloss.verdict.learnt import learnt

COUNTS = np.array([600, 300, 100])


def drawn(n, *, signal, seed=0):
    """Return classes, and log probabilities with the given signal."""
    rng = np.random.default_rng(seed)
    targets = rng.choice(3, size=n, p=COUNTS / COUNTS.sum())
    logits = np.log(COUNTS / COUNTS.sum()) + 0.3 * rng.normal(size=(n, 3))
    logits[np.arange(n), targets] += signal
    return logits - np.logaddexp.reduce(logits, axis=1, keepdims=True), targets


def test_figures_are_scikit_learns() -> None:
    log_probs, targets = drawn(500, signal=1.0)
    found = learnt(log_probs, targets, COUNTS)
    assert found.log_loss == pytest.approx(log_loss(targets, np.exp(log_probs)))
    shares = np.tile((COUNTS + 0.5) / (COUNTS + 0.5).sum(), (500, 1))
    assert found.of_shares == pytest.approx(log_loss(targets, shares))
    rows = -np.log(shares[0])[targets] + log_probs[np.arange(500), targets]
    assert found.error == pytest.approx(rows.std(ddof=1) / np.sqrt(500))


def test_a_model_that_learnt_is_ahead_and_the_class_shares_are_not() -> None:
    assert learnt(*drawn(500, signal=1.0), COUNTS).reason == ""
    targets = drawn(500, signal=0.0)[1]
    shares = np.tile(np.log(COUNTS / COUNTS.sum()), (500, 1))
    found = learnt(shares, targets, COUNTS)
    assert not found.is_ahead
    assert "not better than the class shares" in found.reason


def test_noise_is_rarely_taken_for_learning() -> None:
    ahead = [learnt(*drawn(300, signal=0.0, seed=seed), COUNTS).is_ahead for seed in range(200)]
    assert sum(ahead) <= 5


def test_rows_of_one_cluster_are_one_piece_of_evidence() -> None:
    log_probs, targets = drawn(40, signal=0.5, seed=3)
    again = np.repeat(log_probs, 25, axis=0), np.repeat(targets, 25)
    alone = learnt(*again, COUNTS)
    clustered = learnt(*again, COUNTS, clusters=np.repeat(np.arange(40), 25))
    assert clustered.error == pytest.approx(learnt(log_probs, targets, COUNTS).error, rel=0.05)
    assert clustered.error > 4 * alone.error


def test_a_class_without_training_rows_costs_no_infinity() -> None:
    log_probs, targets = drawn(50, signal=1.0)
    assert np.isfinite(learnt(log_probs, targets, np.array([50, 50, 0])).of_shares)
