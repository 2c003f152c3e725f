"""Candidates of several labels a row, with gaps, on several divisions in one population."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from autoloss.core.settings import NetworkConfig, TrainingConfig
from autoloss.losses import ClassFacts, LossSpec
from autoloss.models import TableNetwork
from autoloss.readout import fold_numbers
from autoloss.training import Candidate, Job, train
from tests.training.conftest import make_part, make_schema

N_LABELS = 3
SETTINGS = [
    {"base": "cross_entropy"},
    {"base": "asymmetric", "prior": "class_weight", "class_weight.power": 0.5},
    {"base": "brier", "target": "smoothing", "smoothing.epsilon": 0.1},
    {"base": "focal", "focal.gamma": 2.0, "prior": "logit_adjust", "logit_adjust.tau": 1.0},
    {"base": "cross_entropy", "target": "mixup", "mixup.alpha": 0.3},
]


def labelled(n_rows: int, seed: int, *, gaps: bool):
    """Return rows with three labels; with gaps, a fifth of the labels is missing."""
    part = make_part(n_rows, seed)
    numbers = part.inputs.numeric
    answers = torch.stack([numbers[:, 0] > 0, numbers[:, 1] > 0.5, numbers[:, 3] > 1.5], 1).long()
    if gaps:
        draw = torch.Generator().manual_seed(seed + 100)
        answers[torch.rand(answers.shape, generator=draw) < 0.2] = -100
    return replace(part, targets=answers)


def make_job(n_rows: int, seed: int, *, gaps: bool) -> Job:
    train_rows, valid = labelled(n_rows, seed, gaps=gaps), labelled(80, seed + 10, gaps=gaps)
    answers = train_rows.targets
    counts = torch.stack([(answers == 0).sum(0), (answers == 1).sum(0)], 1)
    return Job.prepare(
        TableNetwork(make_schema(), N_LABELS, NetworkConfig(width=12, bins=4)),
        train_rows,
        valid,
        class_counts=ClassFacts(counts, task="multilabel"),
        folds=fold_numbers(len(valid)),
        config=TrainingConfig(batch_size=16, max_epochs=3, patience=2),
        device=torch.device("cpu"),
        dtype=torch.float64,
    )


@pytest.fixture
def jobs() -> list[Job]:
    """Two divisions, of which one has missing labels."""
    return [make_job(300, 0, gaps=True), make_job(330, 1, gaps=False)]


def candidates() -> list[Candidate]:
    return [
        Candidate(LossSpec.from_dict(one), lr=5e-3, dropout=0.1 * (i % 2), seed=i % 2, fold=fold)
        for i, one in enumerate(SETTINGS)
        for fold in range(2)
    ]


def test_labels_together_equal_each_alone(jobs: list[Job]) -> None:
    asked = candidates()
    together = train(jobs, asked)
    for candidate, outcome in zip(asked, together, strict=True):
        (alone,) = train(jobs, [candidate])
        torch.testing.assert_close(alone.weights, outcome.weights, atol=1e-10, rtol=0)
        torch.testing.assert_close(alone.logits, outcome.logits, atol=1e-9, rtol=0)
        assert outcome.logits.shape == (80, N_LABELS)


def test_a_missing_label_is_no_negative_and_other_labels_of_its_row_train(jobs: list[Job]) -> None:
    gone = torch.zeros(300, N_LABELS, dtype=torch.bool)
    gone[:, 1] = True
    results = {}
    for name, value in (("missing", -100), ("no", 0)):
        job = make_job(300, 0, gaps=False)
        part = job.train.part
        changed = replace(part, targets=part.targets.masked_fill(gone, value))
        job = replace(job, train=type(job.train)(job.network, changed))
        (found,) = train([job], [Candidate(LossSpec(), lr=5e-3)])
        results[name] = found.logits
    # Without any answer the label learns nothing; as negatives it would be pushed down.
    assert results["no"][:, 1].mean() < results["missing"][:, 1].mean() - 1.0
    truth = make_job(300, 0, gaps=False).valid.targets
    for name in results:
        learnt = (results[name][:, 0] > 0).long() == truth[:, 0]
        assert learnt.double().mean() > 0.8
