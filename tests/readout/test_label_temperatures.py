"""Temperatures of labels: own where a label is frequent, shared where it is rare."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar

from autoloss.losses import ClassFacts, LossSpec, Objective
from autoloss.readout import Items, Readout, fit_readouts, fold_numbers
from autoloss.readout.label_temperatures import FEW_YES, fit_label_temperatures

RATES = np.array([0.5, 0.3, 0.01])
FACTS = ClassFacts(torch.tensor([[50.0, 50], [70, 30], [99, 1]]), task="multilabel")
# The factors by which the logits of each label are too large.
TOO_SURE = np.array([3.0, 1.0, 3.0])


def drawn(n: int = 3_000, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Return logits (1, N, L) and answers (N, L)."""
    random = np.random.default_rng(seed)
    base = np.log(RATES / (1 - RATES)) + 1.5 * random.standard_normal((n, 3))
    answers = (random.random(base.shape) < 1 / (1 + np.exp(-base))).astype(np.int64)
    return torch.from_numpy(base * TOO_SURE)[None], torch.from_numpy(answers)


def fitted(logits: torch.Tensor, answers: torch.Tensor, *, shared: float, n_folds: int = 4):
    items = Items.of(answers, FACTS)
    folds = items.of_rows(torch.arange(len(answers)) % n_folds)
    return fit_label_temperatures(
        items.scores(FACTS.over_classes(logits)),
        items.labels,
        items.numbers,
        folds,
        n_labels=3,
        shared=torch.full((1,), shared, dtype=torch.float64),
        shared_by_fold=torch.full((1, n_folds), shared, dtype=torch.float64),
    )


def own_minimum(logits: torch.Tensor, answers: torch.Tensor) -> float:
    """Return the log inverse temperature with the lowest log loss."""
    margin = (logits * (answers * 2 - 1)).numpy()

    def cost(log_beta: float) -> float:
        return float(np.logaddexp(0.0, -margin * np.exp(log_beta)).sum())

    return float(minimize_scalar(cost, bounds=(-2.5, 1.5), method="bounded").x)


def test_a_temperature_balances_the_slope_with_the_distance_from_the_shared_one() -> None:
    logits, answers = drawn()
    shared = -0.8
    found = fitted(logits, answers, shared=shared).every[0]
    margins = (logits[0] * (answers * 2 - 1) * found.exp()).numpy()
    miss = 1 / (1 + np.exp(margins))
    slope, curvature = -(margins * miss).sum(0), (margins**2 * miss * (1 - miss)).sum(0)
    yes = answers.sum(0).numpy()
    ratio = FEW_YES / np.minimum(yes, len(answers) - yes)
    rest = slope / curvature + ratio * (found.numpy() - shared)
    assert np.abs(rest).max() < 2e-3
    for label in range(3):
        own = own_minimum(logits[0, :, label], answers[:, label])
        share = (float(found[label]) - shared) / (own - shared)
        assert share == pytest.approx(1 / (1 + ratio[label]), abs=0.12)


def test_a_frequent_label_has_its_own_temperature_and_a_rare_label_that_of_all() -> None:
    logits, answers = drawn(2_000)
    answers[:, 2] = 0
    answers[:5, 2] = 1
    shared = -0.4
    found = fitted(logits, answers, shared=shared).every[0]
    assert float(found[0]) == pytest.approx(-np.log(3.0), abs=0.12)
    assert float(found[1]) == pytest.approx(0.0, abs=0.12)
    free = own_minimum(logits[0, :, 2], answers[:, 2])
    assert abs(float(found[2]) - shared) < 0.3 * abs(free - shared)


def test_the_temperature_of_a_fold_is_that_of_the_other_folds() -> None:
    logits, answers = drawn(4_000)
    found = fitted(logits, answers, shared=-0.5)
    for fold in range(4):
        others = torch.arange(4_000) % 4 != fold
        alone = fitted(logits[:, others], answers[others], shared=-0.5).every
        torch.testing.assert_close(found.by_fold[:, fold], alone, rtol=0, atol=0.03)
    # The answers of a fold do not matter to it, but through the start of the Newton step.
    changed = answers.clone()
    changed[::4] = 1 - changed[::4]
    again = fitted(logits, changed, shared=-0.5).by_fold[:, 0]
    assert (again - found.by_fold[:, 0]).abs().max() < 0.25


def test_several_labels_are_read_out_by_their_own_temperatures_and_stored() -> None:
    logits, answers = drawn()
    objective = Objective([LossSpec()], FACTS, dtype=torch.float64)
    found = fit_readouts(logits, answers, objective, folds=fold_numbers(len(answers)))
    own = found.row(0)
    assert len(own.of_labels) == 3
    assert own.of_labels[0] == pytest.approx(1 / 3, rel=0.1)
    assert own.of_labels[1] == pytest.approx(1.0, rel=0.1)
    again = Readout.from_dict(own.to_dict())
    assert again == own
    shipped = again.log_probs(logits[0], FACTS)
    predicted = found.predict(logits, answers, objective).log_probs
    torch.testing.assert_close(shipped.flatten(0, 1), predicted[0])
    # Its log loss on new rows is lower than with one temperature for all labels.
    fresh, truth = drawn(seed=1)
    alone = Readout(own.source, own.inverse_temperature, own.mix, own.spec)
    costs = [
        -one.log_probs(fresh[0], FACTS).gather(-1, truth[..., None]).mean() for one in (own, alone)
    ]
    assert costs[0] < costs[1] - 0.01


def test_missing_labels_do_not_count() -> None:
    logits, answers = drawn()
    gone = answers.clone()
    gone[::2, 0] = -1
    found = fitted(logits, gone, shared=-0.5).every[0]
    kept = answers[1::2, 0]
    own = own_minimum(logits[0, 1::2, 0], kept)
    assert float(found[0]) == pytest.approx(own, abs=0.12)
