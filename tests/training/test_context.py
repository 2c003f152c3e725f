"""The values that a training run passes to its losses besides logits and targets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from autoloss.losses import LossContext, LossSpec, Objective, get
from autoloss.training import Batch, Candidate, Job, Orders, Population, train
from tests.training.conftest import N_CLASSES

CPU = torch.device("cpu")
F64 = torch.float64
ALL = ["elr", "l_softmax", "distillation", "cross_entropy"]


def spec_of(name: str) -> LossSpec:
    return LossSpec(target=name) if name == "distillation" else LossSpec(name)


class Probe:
    """An objective that records its arguments and its values."""

    def __init__(self, objective: Objective) -> None:
        self.objective = objective
        self.seen: list[LossContext] = []
        self.values: list[Tensor] = []

    def __call__(self, *args: Any, context: LossContext, **more: Any) -> Tensor:
        self.seen.append(context)
        self.values.append(self.objective(*args, context=context, **more))
        return self.values[-1]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.objective, name)


def probed(job: Job, names: list[str], seeds: list[int]) -> tuple[Population, Probe, Orders]:
    population = Population(
        job.network,
        [Candidate(spec_of(name), 1e-3, seed=s) for name, s in zip(names, seeds, strict=True)],
        job.classes,
        device=CPU,
        dtype=F64,
    )
    probe = Probe(population.objective)
    population.objective = probe  # type: ignore[assignment]
    return population, probe, Orders(seeds, len(job.train), 64, device=CPU)


@pytest.fixture
def taught(job: Job) -> Job:
    teacher = torch.arange(700.0 * N_CLASSES, dtype=F64).view(700, N_CLASSES)
    return replace(job, teacher=teacher)


@pytest.mark.parametrize("seeds", [[0, 0, 0, 0], [0, 1, 1, 0]])
def test_a_loss_sees_its_rows_and_the_teachers_logits_of_them(
    taught: Job, seeds: list[int]
) -> None:
    population, probe, orders = probed(taught, ALL, seeds)
    rows = orders.epoch()[0]
    population.step(taught.batch(rows), orders, 1.0, progress=0.25)
    expected = rows[0] if len(rows) == 1 else rows[seeds]
    context = probe.seen[0]
    assert context.progress == 0.25
    assert context.row_ids is not None
    assert torch.equal(context.row_ids, expected)
    assert context.teacher_logits is not None
    assert taught.teacher is not None
    assert torch.equal(context.teacher_logits, taught.teacher[expected])
    assert context.norms is not None
    assert context.norms.shape == (4, 64, N_CLASSES)
    assert context.mask is None


def test_nothing_is_looked_up_that_no_candidate_needs(taught: Job) -> None:
    population, probe, orders = probed(taught, ["cross_entropy", "arcface"], [0, 1])
    population.step(taught.batch(orders.epoch()[0]), orders, 1.0)
    assert probe.seen == [LossContext(progress=0.0)]


def test_progress_is_the_share_of_the_steps_that_are_done(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    step = Population.step

    def recorded(self: Population, *args: Any, progress: float) -> None:
        seen.append(progress)
        step(self, *args, progress=progress)

    monkeypatch.setattr(Population, "step", recorded)
    short = replace(job, config=replace(job.config, max_epochs=3, patience=3))
    train(short, [Candidate(LossSpec(), lr=1e-3)])
    # batch_size_for: 700 rows make 21 steps of 32.
    assert seen == [i / 63 for i in range(63)]


def test_an_item_without_a_label_is_masked(job: Job) -> None:
    population, probe, orders = probed(job, ["cross_entropy", "brier"], [0, 1])
    rows = orders.epoch()[0]
    mask = torch.rand(2, 64, generator=torch.Generator().manual_seed(0)) < 0.7
    population.step(replace(job.batch(rows), mask=mask), orders, 1.0)
    found = probe.seen[0].mask
    assert found is not None
    assert torch.equal(found, mask)


def test_items_without_a_label_have_no_part_in_a_step(job: Job) -> None:
    """Nor in the penalty, which is a statistic of the batch."""
    spec = LossSpec.from_dict({"penalty": "mmce", "mmce.weight": 2.0})
    ends = []
    for cut in (False, True):
        population = Population(
            job.network, [Candidate(spec, 1e-2)], job.classes, device=CPU, dtype=F64
        )
        numbers = torch.arange(40 if cut else 64).unsqueeze(0)
        batch = job.batch(numbers)
        targets = torch.where(numbers < 40, batch.targets, 2)
        masked = Batch(batch.features, targets, mask=None if cut else numbers < 40)
        orders = Orders([0], 700, 64, device=CPU)
        for _ in range(3):
            population.step(masked, orders, 1.0)
        ends.append(population.rows)
    torch.testing.assert_close(ends[0], ends[1], rtol=0, atol=1e-10)


def test_late_class_weights_switch_on_at_their_step(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    after: list[Tensor] = []
    step = Population.step

    def recorded(self: Population, *args: Any, **more: Any) -> None:
        step(self, *args, **more)
        after.append(self.rows.clone())

    monkeypatch.setattr(Population, "step", recorded)
    settings = {"prior": "class_weight", "class_weight.power": 1.0}
    specs = [
        LossSpec(),
        LossSpec.from_dict({**settings, "class_weight.start": 0.6}),
        LossSpec.from_dict(settings),
    ]
    config = replace(job.config, max_epochs=5, patience=5)
    train(replace(job, config=config), [Candidate(spec, lr=1e-3) for spec in specs])
    gaps = torch.stack([(rows - rows[0]).abs().amax(1) for rows in after])
    assert len(gaps) == 5 * 21
    assert (gaps[:, 2] > 1e-6).all()
    # 0.6 of 105 steps are 63: the weights count from the 64th on.
    assert gaps[:63, 1].max() < 1e-12
    assert (gaps[63:, 1] > 1e-6).all()


def test_what_is_remembered_of_a_row_goes_on_when_neighbours_stop(job: Job) -> None:
    """The oracle: a running mean a row, kept by hand over the rows that each step reads."""
    spec = LossSpec.from_dict({"base": "elr", "elr.beta": 0.8})
    elr, settings = get("elr"), spec.base_parameters
    candidates = [
        Candidate(LossSpec("elr"), 1e-2),
        Candidate(LossSpec(), 1e-2),
        Candidate(spec, 1e-2, seed=1),
    ]
    population = Population(job.network, candidates, job.classes, device=CPU, dtype=F64)
    orders = Orders([0, 1], 100, 64, device=CPU)
    memory = torch.zeros(100, N_CLASSES, dtype=F64)
    for i in range(6):
        if i == 3:
            population.keep([2])
        population.objective = probe = Probe(population.objective)  # type: ignore[assignment]
        batch = job.batch(orders.epoch()[0])
        assert batch.rows is not None
        rows = batch.rows[1]
        logits = population.logits(job.train.features(rows.unsqueeze(0)))[-1]
        memory[rows] = elr.memory(memory[rows], logits, **settings)  # type: ignore[misc]
        context = LossContext(row_ids=rows, memory=memory[rows])
        expected = elr(logits, batch.targets[1], context=context, **settings)
        population.step(batch, orders, 1.0)
        torch.testing.assert_close(probe.values[0][-1], expected)
        population.objective = probe.objective
    # Most rows were read four times or more, before and after.
    assert (memory.sum(-1) > 0.55).sum() > 50
