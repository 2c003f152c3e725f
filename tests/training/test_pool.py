from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from autoloss.losses import LossSpec
from autoloss.training import Candidate, Job, Outcome, Pool, RowAdamW, train
from tests.training.conftest import make_job, make_part
from tests.training.test_optimiser import LR, WEIGHT_DECAY, by_torch, gradients, rows


def run(
    jobs: list[Job],
    groups: dict[int, list[Candidate]],
    *,
    leave: dict[int, list[int]] | None = None,
) -> list[Outcome]:
    """Train groups that join after these epochs; `leave` has the numbers that leave after them."""
    pool, numbers = Pool(jobs), []
    while True:
        if pool.epochs in groups:
            numbers += pool.join(groups[pool.epochs])
        if not pool.alive:
            break
        pool.epoch()
        pool.drop((leave or {}).get(pool.epochs, []))
    return [pool.take(number) for number in numbers]


def assert_same(one: Outcome, other: Outcome) -> None:
    assert one.report.state == other.report.state
    assert one.report.best_epoch == other.report.best_epoch
    assert [point.epoch for point in one.report.curve] == [
        point.epoch for point in other.report.curve
    ]
    torch.testing.assert_close(one.weights, other.weights, rtol=0, atol=1e-10)
    torch.testing.assert_close(one.logits, other.logits, rtol=0, atol=1e-9)


def test_who_joins_later_becomes_what_it_does_alone(job: Job, mixed: list[Candidate]) -> None:
    groups = {0: mixed[:3], 2: mixed[3:5], 3: [mixed[5], mixed[0]]}
    together = run([job], groups, leave={4: [1, 3]})
    everyone = [candidate for group in groups.values() for candidate in group]
    for number, (candidate, outcome) in enumerate(zip(everyone, together, strict=True)):
        if number in (1, 3):
            assert outcome.report.state == "stopped"
            assert len(outcome.report.curve) == {1: 4, 3: 2}[number]
        else:
            assert_same(outcome, train(job, [candidate])[0])


@pytest.mark.parametrize(
    "setting",
    [
        {"base": "cross_entropy", "target": "mixup", "mixup.alpha": 0.4},
        {"base": "elr", "elr.lambda_": 3.0, "elr.beta": 0.7},
        {
            "base": "cross_entropy",
            "prior": "class_weight",
            "class_weight.power": 1.0,
            "class_weight.start": 0.5,
        },
    ],
)
def test_what_a_loss_remembers_draws_and_starts_late_is_its_own(
    job: Job, mixed: list[Candidate], setting: dict
) -> None:
    own = Candidate(LossSpec.from_dict(setting), lr=3e-3, dropout=0.2)
    together = run([job], {0: [own, mixed[1]], 2: [mixed[0], own]})
    alone = train(job, [own])[0]
    assert_same(together[0], alone)
    assert_same(together[3], alone)


def test_divisions_have_late_joiners_too(mixed: list[Candidate]) -> None:
    jobs = [make_job(make_part(n, n), make_part(120, n + 1)) for n in (300, 260)]
    asked = [replace(candidate, fold=fold) for fold in (0, 1) for candidate in mixed[:3]]
    together = run(jobs, {0: asked, 1: asked[::-1]})
    for candidate, outcome in zip([*asked, *asked[::-1]], together, strict=True):
        assert_same(outcome, train(jobs, [candidate])[0])


def test_who_joined_ends_with_its_own_last_epoch(job: Job, mixed: list[Candidate]) -> None:
    patient = replace(job, config=replace(job.config, patience=99))
    first, late = run([patient], {0: [mixed[0]], 4: [mixed[0]]})
    assert len(first.report.curve) == len(late.report.curve) == patient.config.max_epochs
    assert_same(first, late)


def test_a_candidate_can_have_a_schedule_of_its_own(job: Job, mixed: list[Candidate]) -> None:
    patient = replace(job.config, patience=99)
    asked = [replace(mixed[k], schedule=epochs) for k, epochs in enumerate((3, None, 5))]
    together = train(replace(job, config=patient), asked)
    for candidate, outcome in zip(asked, together, strict=True):
        own = replace(patient, max_epochs=candidate.scheduled(patient.max_epochs))
        alone = train(replace(job, config=own), [replace(candidate, schedule=None)])[0]
        assert len(outcome.report.curve) == own.max_epochs
        assert_same(outcome, alone)


def test_rows_of_different_ages_move_as_by_torch() -> None:
    older = RowAdamW(rows()[:2], lr=LR[:2], weight_decay=WEIGHT_DECAY[:2])
    for step in range(3):
        older.gradients.copy_(gradients(step)[:2])
        older.step(1.0)
    both = older.joined(RowAdamW(rows()[2:], lr=LR[2:], weight_decay=WEIGHT_DECAY[2:]))
    for step in range(4):
        both.gradients[:2] = gradients(step + 3)[:2]
        both.gradients[2:] = gradients(step)[2:]
        both.step(torch.tensor([1.0, 1.0, 0.5], dtype=torch.float64))
        if step == 1:
            both = both.keep([1, 2])
            both = RowAdamW(rows()[:1], lr=LR[:1], weight_decay=WEIGHT_DECAY[:1]).joined(both)
    torch.testing.assert_close(both.rows[1], by_torch(1, [1.0] * 7), rtol=0, atol=1e-12)
    torch.testing.assert_close(both.rows[2], by_torch(2, [0.5] * 4), rtol=0, atol=1e-12)
