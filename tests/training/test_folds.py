"""Candidates on several divisions of the rows, in one population."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from autoloss.core.settings import NetworkConfig, TrainingConfig
from autoloss.losses import LossSpec
from autoloss.models import InputShape, TableNetwork
from autoloss.readout import fold_numbers
from autoloss.training import Candidate, Job, Orders, train
from tests.training.conftest import N_CLASSES, make_part, make_schema

CPU = torch.device("cpu")
CONFIG = NetworkConfig(width=12, bins=4)
SPECS = [
    LossSpec(),
    LossSpec.from_dict({"base": "focal", "focal.gamma": 2.0}),
    LossSpec.from_dict(
        {"base": "cross_entropy", "prior": "logit_adjust", "logit_adjust.tau": 1.0}
    ),
    LossSpec.from_dict({"base": "cross_entropy", "target": "mixup", "mixup.alpha": 0.3}),
    LossSpec.from_dict({"base": "elr"}),
]


@pytest.fixture(params=["bins", "waves"])
def jobs(request) -> list[Job]:
    """Three divisions: of different sizes, and one whose columns need fewer inputs."""
    schema = make_schema()
    fewer = replace(schema, edges=schema.edges[:, [0, 1, 2, 2, 2]], cardinalities=(3, 31))
    config = replace(CONFIG, numbers=request.param)
    networks = [TableNetwork(one, N_CLASSES, config) for one in (schema, fewer, schema)]
    shape = InputShape.covering([network.shape for network in networks])
    assert networks[1].shape != shape
    made = []
    for i, network in enumerate(networks):
        train_rows, valid = make_part(300 + 50 * i, i), make_part(90 - 10 * i, 10 + i)
        if i == 1:
            codes = torch.tensor([3, 31])
            train_rows, valid = (
                replace(
                    part,
                    inputs=replace(part.inputs, categories=part.inputs.categories % codes),
                )
                for part in (train_rows, valid)
            )
        made.append(
            Job.prepare(
                network.shaped(shape),
                train_rows,
                valid,
                class_counts=torch.bincount(train_rows.targets, minlength=N_CLASSES),
                folds=fold_numbers(valid.targets),
                config=TrainingConfig(batch_size=16, max_epochs=3, patience=2),
                device=CPU,
                dtype=torch.float64,
            )
        )
    return made


def candidates() -> list[Candidate]:
    return [
        Candidate(spec, lr=5e-3, weight_decay=0.01, dropout=0.1 * (i % 2), seed=i % 2, fold=fold)
        for i, spec in enumerate(SPECS)
        for fold in range(3)
    ]


def test_divisions_together_equal_each_alone(jobs: list[Job]) -> None:
    asked = candidates()
    together = train(jobs, asked)
    for candidate, outcome in zip(asked, together, strict=True):
        (alone,) = train(jobs, [candidate])
        torch.testing.assert_close(alone.weights, outcome.weights, atol=1e-10, rtol=0)
        torch.testing.assert_close(alone.logits, outcome.logits, atol=1e-9, rtol=0)
        assert len(outcome.logits) == len(jobs[candidate.fold].valid)


def test_a_candidate_sees_the_rows_of_its_division_alone(jobs: list[Job]) -> None:
    asked = candidates()
    part = jobs[2].train.part
    changed = replace(part, targets=(part.targets + 1) % N_CLASSES)
    other = replace(jobs[2], train=type(jobs[2].train)(jobs[2].network, changed))
    before, after = train(jobs, asked), train([*jobs[:2], other], asked)
    for candidate, one, two in zip(asked, before, after, strict=True):
        assert torch.equal(one.weights, two.weights) == (candidate.fold != 2)


def test_losses_count_the_classes_of_their_division(jobs: list[Job]) -> None:
    facts = replace(jobs[1].classes, counts=torch.tensor([1.0, 100.0, 1.0]))
    asked = candidates()
    before = train(jobs, asked)
    after = train([jobs[0], replace(jobs[1], classes=facts), jobs[2]], asked)
    for candidate, one, two in zip(asked, before, after, strict=True):
        moved = candidate.fold == 1 and candidate.spec.prior == "logit_adjust"
        assert torch.equal(one.logits, two.logits) != moved


def test_an_order_belongs_to_its_seed_and_division() -> None:
    seeds, folds = [0, 1, 0, 0], [1, 0, 0, 1]
    orders = Orders(seeds, [64, 80], 16, device=CPU, folds=folds)
    assert orders.steps == 4
    assert orders.sizes == [(0, 2), (1, 1)]
    rows = orders.epoch()
    places = orders.places(seeds, folds)
    assert places[0] == places[3] != places[2]
    for seed, fold, place in zip(seeds, folds, places, strict=True):
        own = Orders([seed], [64, 80], 16, device=CPU, folds=[fold]).epoch()[:, 0]
        assert torch.equal(rows[:, place], own)
        assert own.max() < [64, 80][fold]
