"""The greedy selection of a blend."""

from __future__ import annotations

import numpy as np
import pytest

from autoloss.verdict.blend import STEPS, greedy_weights


def log_loss(of_truth: np.ndarray, weights: np.ndarray) -> float:
    return float(-np.log(weights @ of_truth).mean())


@pytest.mark.parametrize("seed", range(5))
def test_a_blend_is_never_worse_on_its_rows_than_its_best_model(seed: int) -> None:
    of_truth = np.random.default_rng(seed).uniform(0.05, 0.95, (6, 80))
    weights = greedy_weights(of_truth)
    alone = [log_loss(of_truth, one) for one in np.eye(6)]
    assert log_loss(of_truth, weights) <= min(alone)
    assert weights.sum() == pytest.approx(1.0)


def test_weights_are_near_the_optimum_of_all_weights() -> None:
    of_truth = np.random.default_rng(0).uniform(0.05, 0.95, (2, 500))
    grid = np.linspace(0.0, 1.0, 1001)
    lowest = min(log_loss(of_truth, np.array([w, 1.0 - w])) for w in grid)
    assert log_loss(of_truth, greedy_weights(of_truth)) == pytest.approx(lowest, abs=1e-4)


def test_equal_models_are_not_blended() -> None:
    of_truth = np.tile(np.random.default_rng(0).uniform(0.1, 0.9, 50), (4, 1))
    assert greedy_weights(of_truth).tolist() == [1.0, 0.0, 0.0, 0.0]


def test_a_model_that_is_better_on_every_row_is_taken_alone() -> None:
    worse = np.random.default_rng(0).uniform(0.1, 0.8, 50)
    assert greedy_weights(np.stack([worse, worse + 0.1])).tolist() == [0.0, 1.0]


def test_a_weight_is_a_share_of_the_steps() -> None:
    weights = greedy_weights(np.random.default_rng(1).uniform(0.05, 0.95, (5, 200)))
    assert any(np.allclose(weights * n, np.round(weights * n)) for n in range(1, STEPS + 1))


def test_blocks_of_rows_select_what_all_rows_do(monkeypatch: pytest.MonkeyPatch) -> None:
    of_truth = np.random.default_rng(3).uniform(0.05, 0.95, (4, 300))
    every = greedy_weights(of_truth)
    monkeypatch.setattr("autoloss.verdict.blend._BLOCK", 70)
    assert np.array_equal(greedy_weights(of_truth), every)
