from __future__ import annotations

import pytest
import torch

from autoloss.core.settings import NetworkConfig, TrainingConfig
from autoloss.data import Part, TableInputs, TableSchema
from autoloss.losses import LossSpec
from autoloss.models import TableNetwork
from autoloss.readout import fold_numbers
from autoloss.training import Candidate, Job

N_CLASSES = 3


def make_part(n_rows: int, seed: int) -> Part:
    """Rows of a problem that can be learnt, with every kind of column and some missing numbers."""
    draw = torch.Generator().manual_seed(seed)
    numeric = torch.randn(n_rows, 4, generator=draw)
    targets = (numeric[:, 0] > 0).long() + (numeric[:, 1] > 0.5).long()
    numeric[torch.rand(n_rows, generator=draw) < 0.1, 2] = torch.nan
    narrow = torch.randint(0, 4, (n_rows, 1), generator=draw)
    wide = torch.randint(0, 40, (n_rows, 1), generator=draw)
    return Part(
        inputs=TableInputs(
            numeric=numeric,
            categories=torch.cat([narrow, wide], 1),
            terms=torch.randint(0, 20, (n_rows, 6), generator=draw, dtype=torch.int32),
            # Many rows have fewer terms than places; some have none.
            shares=torch.rand(n_rows, 6, generator=draw)
            * (torch.arange(6) < torch.randint(0, 7, (n_rows, 1), generator=draw)),
        ),
        targets=targets,
        weights=None,
        rows=torch.arange(n_rows),
    )


def make_schema() -> TableSchema:
    return TableSchema(
        n_numeric=4,
        edges=torch.linspace(-2.0, 2.0, 5).expand(4, 5),
        cardinalities=(4, 40),
        has_missing=(False, False, True, False),
        texts=((20, 4), (30, 2)),
    )


@pytest.fixture
def job() -> Job:
    """A small job in float64: values equal in exact arithmetic are equal here to 1e-10."""
    train, valid = make_part(700, 1), make_part(200, 2)
    return make_job(train, valid)


def make_job(train: Part, valid: Part, device: str = "cpu") -> Job:
    return Job.prepare(
        TableNetwork(make_schema(), N_CLASSES, NetworkConfig(width=16, bins=4)),
        train,
        valid,
        class_counts=torch.bincount(train.targets, minlength=N_CLASSES),
        folds=fold_numbers(valid.targets),
        config=TrainingConfig(batch_size=64, max_epochs=6, patience=2),
        device=torch.device(device),
        dtype=torch.float64,
    )


@pytest.fixture
def mixed() -> list[Candidate]:
    """Candidates that differ in everything that a search varies, seeds among them."""
    settings = [
        {"base": "cross_entropy"},
        {"base": "focal", "focal.gamma": 2.0, "prior": "class_weight", "class_weight.power": 0.5},
        {"base": "brier"},
        {"base": "cross_entropy", "target": "smoothing", "smoothing.epsilon": 0.1},
        {"base": "bi_tempered", "prior": "logit_adjust", "logit_adjust.tau": 1.0},
        {"base": "weston_watkins"},
    ]
    return [
        Candidate(
            LossSpec.from_dict(setting),
            lr=1e-3 * (1 + 5 * i),
            weight_decay=0.05 * i,
            dropout=0.1 * (i % 3),
            seed=i % 2,
        )
        for i, setting in enumerate(settings)
    ]
