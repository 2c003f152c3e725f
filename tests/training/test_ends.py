"""The last layer of each candidate, in training, in validation and in the shipped model."""

from __future__ import annotations

import pandas as pd
import pytest
import torch
from torch.nn.functional import normalize

from autoloss.core.settings import NetworkConfig, TrainingConfig
from autoloss.data import DataOptions, prepare
from autoloss.inference.classifier import Classifier
from autoloss.inference.member import Member
from autoloss.losses import LossSpec
from autoloss.models import TableNetwork
from autoloss.readout import Readout, fold_numbers
from autoloss.training import Candidate, Job, train

BASES = ["cross_entropy", "am_softmax", "l_softmax"]


def by_hand(job: Job, base: str, row: torch.Tensor) -> torch.Tensor:
    """The oracle: the logits of each head from the last hidden layer."""
    views = job.network.layout.views(row.unsqueeze(0))
    hidden = job.network.hidden(views, job.valid.features(torch.arange(len(job.valid))[None]))[0]
    weight, bias = views["output.weight"][0], views["output.bias"][0]
    if base == "am_softmax":
        return normalize(hidden) @ normalize(weight).mT
    return hidden @ weight.mT + (0.0 if base == "l_softmax" else bias)


@pytest.mark.parametrize("base", BASES)
def test_validation_reads_a_candidate_through_its_own_head(job: Job, base: str) -> None:
    candidates = [Candidate(LossSpec(name), lr=3e-3) for name in [base, *BASES]]
    for candidate, outcome in zip(candidates, train(job, candidates), strict=True):
        expected = by_hand(job, candidate.spec.base, outcome.weights)
        torch.testing.assert_close(outcome.logits, expected)


@pytest.mark.parametrize("base", BASES)
def test_what_is_shipped_gives_the_logits_of_the_training(base: str) -> None:
    draw = torch.Generator().manual_seed(0)
    table = pd.DataFrame(torch.randn(300, 3, generator=draw).numpy(), columns=list("abc"))
    table["y"] = (table["a"] > 0).astype(int) + (table["b"] > 0.3).astype(int)
    data = prepare(table, DataOptions("y"))
    config = NetworkConfig(width=8, bins=2)
    job = Job.prepare(
        TableNetwork(data.encoding.schema, 3, config),
        data.train,
        data.valid,
        class_counts=data.folds[0].class_counts,
        folds=fold_numbers(data.valid.targets),
        config=TrainingConfig(batch_size=32, max_epochs=2),
        device=torch.device("cpu"),
    )
    outcome = train(job, [Candidate(LossSpec(base), lr=1e-2)])[0]
    model = Classifier(
        task=data.task,
        config=config,
        members=(
            Member(
                data.encoding,
                outcome.weights,
                Readout("softmax", 1.0, 0.01, LossSpec(base)),
                data.folds[0].class_counts,
            ),
        ),
    )
    rows = table.iloc[data.valid.rows.numpy()]
    torch.testing.assert_close(model.logits(rows), outcome.logits[None])
