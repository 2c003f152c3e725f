from __future__ import annotations

import time
from dataclasses import replace

import pytest
import torch

from autoloss.losses import LossSpec
from autoloss.readout import refined_log_loss
from autoloss.training import Candidate, EpochReport, Job, Outcome, Population, train
from tests.training.conftest import make_job

CROSS_ENTROPY = LossSpec("cross_entropy")


def assert_same(one: Outcome, other: Outcome) -> None:
    assert one.report.state == other.report.state
    assert one.report.best_epoch == other.report.best_epoch
    assert len(one.report.curve) == len(other.report.curve)
    torch.testing.assert_close(one.weights, other.weights, rtol=0, atol=1e-10)
    torch.testing.assert_close(one.logits, other.logits, rtol=0, atol=1e-9)


def test_together_equals_alone(job: Job, mixed: list[Candidate]) -> None:
    together = train(job, mixed)
    for candidate, outcome in zip(mixed, together, strict=True):
        assert_same(outcome, train(job, [candidate])[0])


def test_candidates_of_different_losses_end_with_different_weights(
    job: Job, mixed: list[Candidate]
) -> None:
    same_settings = [replace(c, lr=1e-3, weight_decay=0.0, dropout=0.0, seed=0) for c in mixed]
    weights = torch.stack([outcome.weights for outcome in train(job, same_settings)])
    distances = torch.cdist(weights, weights) + torch.eye(len(weights))
    assert distances.min() > 1e-3


def test_a_seed_decides_everything_that_is_drawn(job: Job) -> None:
    first = train(job, [Candidate(CROSS_ENTROPY, lr=1e-3, dropout=0.3, seed=5)])[0]
    again = train(job, [Candidate(CROSS_ENTROPY, lr=1e-3, dropout=0.3, seed=5)])[0]
    other = train(job, [Candidate(CROSS_ENTROPY, lr=1e-3, dropout=0.3, seed=6)])[0]
    assert torch.equal(first.weights, again.weights)
    assert not torch.allclose(first.weights, other.weights)


def test_a_candidate_that_diverges_ends_alone(job: Job, mixed: list[Candidate]) -> None:
    wild = Candidate(CROSS_ENTROPY, lr=1e300, seed=0)
    outcomes = train(job, [mixed[0], wild, *mixed[1:]])
    assert outcomes[1].report.state == "diverged"
    calm = [outcomes[0], *outcomes[2:]]
    for outcome, alone in zip(calm, train(job, mixed), strict=True):
        assert outcome.report.state == "complete"
        assert_same(outcome, alone)


def test_a_report_has_the_best_epoch_so_far_of_every_candidate(
    job: Job, mixed: list[Candidate]
) -> None:
    reports: list[EpochReport] = []
    wild = Candidate(CROSS_ENTROPY, lr=1e300, seed=0)
    outcomes = train(job, [*mixed, wild], on_epoch=reports.append)
    assert len(reports) > 2
    for report in reports:
        *calm, diverged = report.points
        for outcome, point in zip(outcomes, calm, strict=False):
            curve = outcome.report.curve[: report.epoch]
            assert point == min(curve, key=lambda one: one.refined_log_loss)
    assert diverged is None


def test_all_candidates_may_diverge(job: Job) -> None:
    outcomes = train(job, [Candidate(CROSS_ENTROPY, lr=1e300, seed=k) for k in range(2)])
    assert [outcome.report.state for outcome in outcomes] == ["diverged", "diverged"]


def test_the_best_epoch_has_the_lowest_refined_log_loss_and_its_logits_are_kept(
    job: Job, mixed: list[Candidate]
) -> None:
    for candidate, outcome in zip(mixed, train(job, mixed), strict=True):
        values = [point.refined_log_loss for point in outcome.report.curve]
        assert outcome.report.best_epoch == 1 + values.index(min(values))
        from autoloss.losses import Objective

        objective = Objective([candidate.spec], job.class_counts, dtype=torch.float64)
        refined, _, _ = refined_log_loss(
            outcome.logits.unsqueeze(0), job.valid.targets, objective, folds=job.folds
        )
        assert refined.item() == pytest.approx(min(values), abs=1e-4)


def test_patience_stops_a_candidate(job: Job) -> None:
    outcome = train(job, [Candidate(CROSS_ENTROPY, lr=0.3, seed=0)])[0]
    values = [point.refined_log_loss for point in outcome.report.curve]
    after = len(values) - outcome.report.best_epoch
    assert after == job.config.patience or len(values) == job.config.max_epochs


def test_training_learns(job: Job) -> None:
    longer = replace(job, config=replace(job.config, max_epochs=15, patience=15))
    outcome = train(longer, [Candidate(CROSS_ENTROPY, lr=5e-3)])[0]
    majority = 1.0 - float(job.valid.targets.bincount().max()) / len(job.valid.targets)
    assert outcome.report.curve[outcome.report.best_epoch - 1].error < 0.35 * majority


def test_a_deadline_stops_all_and_keeps_what_was_reached(
    job: Job, mixed: list[Candidate], monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = []
    step = Population.step
    monkeypatch.setattr(
        Population, "step", lambda *given, **more: steps.append(step(*given, **more))
    )
    outcomes = train(job, mixed, deadline=time.monotonic() - 1.0)
    # An epoch of many rows may take longer than all the time there is.
    assert len(steps) == 1
    assert {outcome.report.state for outcome in outcomes} == {"stopped"}
    assert all(len(outcome.report.curve) == 1 for outcome in outcomes)
    assert all(outcome.logits.isfinite().all() for outcome in outcomes)


def test_seconds_add_up_to_the_time_of_the_population(job: Job, mixed: list[Candidate]) -> None:
    start = time.perf_counter()
    outcomes = train(job, mixed)
    wall = time.perf_counter() - start
    assert 0.5 * wall < sum(outcome.report.seconds for outcome in outcomes) <= wall


@pytest.mark.gpu
def test_the_gpu_gives_what_the_cpu_gives(job: Job, mixed: list[Candidate]) -> None:
    calm = [replace(candidate, dropout=0.0) for candidate in mixed]
    on_gpu = train(make_job(job.train.part, job.valid.part, "cuda"), calm)
    for outcome, expected in zip(on_gpu, train(job, calm), strict=True):
        torch.testing.assert_close(outcome.weights.cpu(), expected.weights, rtol=0, atol=1e-6)


def test_scored_in_parts_equals_scored_at_once(
    job: Job, mixed: list[Candidate], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(job, mixed)
    monkeypatch.setattr("autoloss.core.devices.SCORED_NUMBERS", 2 * len(job.valid) * 3)
    for one, other in zip(train(job, mixed), whole, strict=True):
        assert_same(one, other)
        curves = [
            [(point.epoch, point.refined_log_loss, point.error) for point in found.report.curve]
            for found in (one, other)
        ]
        assert curves[0] == [pytest.approx(point) for point in curves[1]]


def test_rows_that_are_not_kept_encoded_train_the_same(
    job: Job, mixed: list[Candidate], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(job, mixed)
    monkeypatch.setattr("autoloss.training.rows.KEPT_BYTES", 0)
    fresh = replace(job, train=job.encoded(job.train.part), valid=job.encoded(job.valid.part))
    for one, other in zip(train(fresh, mixed), whole, strict=True):
        assert_same(one, other)
