"""Training without validation rows: to the end of the epochs, keeping the last weights."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from autoloss.losses import LossSpec
from autoloss.training import Candidate, Job, Pool, train
from tests.training.conftest import make_part

CROSS_ENTROPY = LossSpec("cross_entropy")


@pytest.fixture
def unheld(job: Job) -> Job:
    """The job of `job` without its validation rows."""
    none = make_part(200, 2).take(torch.arange(0))
    return replace(job, valid=job.encoded(none), folds=job.folds[:0])


@pytest.mark.parametrize("epochs", [1, 3, 6])
def test_it_equals_a_run_that_is_stopped_after_so_many_epochs(
    job: Job, unheld: Job, mixed: list[Candidate], epochs: int
) -> None:
    pool = Pool([replace(job, config=replace(job.config, patience=100))])
    pool.join(mixed)
    for _ in range(epochs):
        pool.epoch()
    assert pool._population is not None
    asked = [replace(candidate, epochs=epochs) for candidate in mixed]
    for outcome, weights in zip(train(unheld, asked), pool._population.rows, strict=True):
        assert outcome.report.state == "complete"
        assert outcome.report.epochs == epochs
        torch.testing.assert_close(outcome.weights, weights, rtol=0, atol=1e-10)


def test_patience_ends_nothing(unheld: Job) -> None:
    assert unheld.config.patience < unheld.config.max_epochs
    outcome = train(unheld, [Candidate(CROSS_ENTROPY, lr=1e-3)])[0]
    assert outcome.report.epochs == unheld.config.max_epochs


def test_candidates_end_after_their_own_epochs(unheld: Job) -> None:
    asked = [Candidate(CROSS_ENTROPY, lr=1e-3, seed=n, epochs=n) for n in (2, 5, 3)]
    together = train(unheld, asked)
    assert [outcome.report.epochs for outcome in together] == [2, 5, 3]
    for candidate, outcome in zip(asked, together, strict=True):
        alone = train(unheld, [candidate])[0]
        torch.testing.assert_close(outcome.weights, alone.weights, rtol=0, atol=1e-10)


def test_a_candidate_diverges_without_validation_rows_too(unheld: Job) -> None:
    asked = [Candidate(CROSS_ENTROPY, lr=1e300), Candidate(CROSS_ENTROPY, lr=1e-3, epochs=2)]
    states = [outcome.report.state for outcome in train(unheld, asked)]
    assert states == ["diverged", "complete"]
