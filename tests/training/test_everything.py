"""Candidates that need all values of a training run: heads, mixup, teachers, memories, time."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from autoloss.core.errors import InputError
from autoloss.core.settings import NetworkConfig, TrainingConfig
from autoloss.losses import PENALTIES, ClassFacts, LossSpec, get
from autoloss.models import TableNetwork
from autoloss.readout import fold_numbers
from autoloss.training import Candidate, Job, Outcome, train
from tests.training.conftest import N_CLASSES, make_part, make_schema

SETTINGS = [
    {"base": "cross_entropy"},
    {"base": "cross_entropy", "target": "mixup"},
    {"base": "focal", "target": "mixup", "mixup.alpha": 0.8, "mixup.per_example": 1},
    {"base": "arcface"},
    {"base": "am_softmax", "target": "mixup"},
    {"base": "ldam", "prior": "class_weight", "class_weight.start": 0.5},
    {"base": "l_softmax", "target": "smoothing"},
    {"base": "l_softmax", "l_softmax.m": 3, "target": "mixup"},
    {"base": "elr"},
    {"base": "elr", "elr.beta": 0.9, "target": "mixup"},
    {"base": "cross_entropy", "target": "distillation"},
    {"base": "brier", "target": "distillation", "distillation.weight": 0.9},
    {"base": "arcface", "target": "distillation"},
    {"base": "poly1", "prior": "given_weights", "target": "similarity_smoothing"},
    {"base": "cross_entropy", "prior": "effective_number", "effective_number.start": 0.3},
    *(
        {"base": base, "penalty": name}
        for name, penalty in PENALTIES.items()
        if "multiclass" in penalty.tasks
        for base in ("cross_entropy", "am_softmax")
    ),
    {"base": "cross_entropy", "penalty": "mmce", "target": "mixup"},
]


def make_candidates() -> list[Candidate]:
    return [
        Candidate(
            LossSpec.from_dict(setting),
            lr=1e-3 * (1 + i % 4),
            weight_decay=0.01 * (i % 3),
            dropout=0.1 * (i % 3),
            seed=i % 2,
            epochs=1 + i % 3 if i % 5 else None,
        )
        for i, setting in enumerate(SETTINGS)
    ]


@pytest.fixture(scope="module")
def rich() -> Job:
    """A job in float64 with weights and likeness of the classes, weighted rows and a teacher."""
    train_part, valid = make_part(400, 1), make_part(120, 2)
    draw = torch.Generator().manual_seed(3)
    weights = 0.5 + torch.rand(400, generator=draw)
    weights[:20] = 0.0
    return Job.prepare(
        TableNetwork(make_schema(), N_CLASSES, NetworkConfig(width=12, bins=4)),
        replace(train_part, weights=weights),
        valid,
        class_counts=ClassFacts(
            torch.bincount(train_part.targets, minlength=N_CLASSES),
            weights=torch.tensor([1.0, 2.0, 0.5]),
            similarity=torch.tensor([[4.0, 1.0, 0.0], [1.0, 4.0, 1.0], [0.0, 1.0, 4.0]]),
        ),
        folds=fold_numbers(valid.targets),
        config=TrainingConfig(batch_size=64, max_epochs=4, patience=2),
        device=torch.device("cpu"),
        dtype=torch.float64,
        teacher=torch.randn(400, N_CLASSES, generator=draw),
    )


def assert_same(one: Outcome, other: Outcome) -> None:
    assert (one.report.state, one.report.best_epoch) == (
        other.report.state,
        other.report.best_epoch,
    )
    assert len(one.report.curve) == len(other.report.curve)
    torch.testing.assert_close(one.weights, other.weights, rtol=0, atol=1e-10)
    torch.testing.assert_close(one.logits, other.logits, rtol=0, atol=1e-9)


def test_together_equals_alone(rich: Job) -> None:
    candidates = make_candidates()
    assert {get(c.spec.base).head for c in candidates} == {"linear", "unbiased", "cosine"}
    together = train(rich, candidates)
    assert len({len(outcome.report.curve) for outcome in together}) >= 3
    for candidate, outcome in zip(candidates, together, strict=True):
        assert outcome.report.state == "complete"
        assert_same(outcome, train(rich, [candidate])[0])


def test_the_order_of_the_candidates_does_not_matter(rich: Job) -> None:
    candidates = make_candidates()
    for one, other in zip(
        train(rich, candidates), reversed(train(rich, candidates[::-1])), strict=True
    ):
        assert_same(one, other)


def test_a_plain_candidate_is_the_same_to_the_last_bit_beside_any_other(rich: Job) -> None:
    plain = [Candidate(LossSpec(), lr=1e-3, dropout=0.2), Candidate(LossSpec("brier"), lr=1e-3)]
    beside = {"mixup": "mixup", "distillation": "distillation", "none": "none"}
    found = {}
    for name, target in beside.items():
        other = Candidate(LossSpec("focal", target=target), lr=1e-3)
        found[name] = [outcome.weights for outcome in train(rich, [*plain, other])]
    for name in ("mixup", "distillation"):
        assert torch.equal(found[name][0], found["none"][0])
        assert torch.equal(found[name][1], found["none"][1])
        assert not torch.equal(found[name][2], found["none"][2])


def test_a_teacher_moves_a_candidate_towards_itself(rich: Job) -> None:
    """The teacher's logits are constant: all but its own weight in the loss is lost."""
    assert rich.teacher is not None
    certain = replace(rich, teacher=torch.tensor([[9.0, 0.0, 0.0]]).double().expand(400, 3))
    spec = LossSpec.from_dict(
        {"target": "distillation", "distillation.weight": 1.0, "distillation.T": 1.0}
    )
    outcome = train(certain, [Candidate(spec, lr=1e-2)])[0]
    assert (outcome.logits.argmax(-1) == 0).all()


def test_a_teacher_must_have_a_row_for_each_training_row(rich: Job) -> None:
    part, valid = rich.train.part, rich.valid.part
    for teacher in (torch.zeros(399, N_CLASSES), torch.full((400, N_CLASSES), torch.nan)):
        with pytest.raises(InputError, match="teacher must have finite logits for each of 400"):
            Job.prepare(
                rich.network,
                part,
                valid,
                class_counts=rich.classes,
                folds=rich.folds,
                config=rich.config,
                device=rich.device,
                teacher=teacher,
            )


def test_a_missing_teacher_is_named(rich: Job) -> None:
    alone = replace(rich, teacher=None)
    with pytest.raises(InputError, match="distillation must be given teacher_logits"):
        train(alone, [Candidate(LossSpec(target="distillation"), lr=1e-3)])
