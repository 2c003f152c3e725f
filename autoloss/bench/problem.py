"""The problem of all loops: the same network, rows, epochs and learning rates."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from autoloss.core.settings import NetworkConfig, TrainingConfig
from autoloss.data import Part, TableInputs, TableSchema
from autoloss.losses import LossSpec
from autoloss.models import TableNetwork
from autoloss.readout import fold_numbers
from autoloss.training import Candidate, Job

N_COLUMNS, N_CLASSES, DROPOUT = 20, 2, 0.1
ROWS = 8192
TARGET = "label"


@dataclass(frozen=True)
class Setting:
    """The network, rows and candidates that all loops share.

    Args:
        job: Network, rows and batch size, on the device.
        candidates: A candidate for each learning rate.
        epochs: Epochs of every candidate.
        network: The network of the job.
    """

    job: Job
    candidates: list[Candidate]
    epochs: int
    network: TableNetwork

    @cached_property
    def jobs(self) -> tuple[Job, ...]:
        """Return the only division, the same object for all training runs."""
        return (self.job,)

    @property
    def steps(self) -> int:
        """Return the steps of one candidate."""
        return self.epochs * (len(self.job.train) // self.job.config.batch_size)


def make_setting(
    *,
    together: int = 32,
    network: NetworkConfig | None = None,
    rows: int = ROWS,
    epochs: int = 3,
    device: torch.device | None = None,
) -> Setting:
    """Return a noisy problem of two classes and candidates that differ in their learning rates.

    Args:
        together: The number of candidates.
        network: The network; by default two hidden layers of 128 on plain numeric columns.
        rows: Training rows.
        epochs: Epochs of every candidate.
        device: The device; by default the CPU.
    """
    config = plain_network(128) if network is None else network
    edges = torch.linspace(-2.0, 2.0, config.bins + 1).expand(N_COLUMNS, -1)
    schema = TableSchema(N_COLUMNS, edges, (), (False,) * N_COLUMNS)
    train, valid = make_part(rows, 1), make_part(rows // 4, 2)
    own = TableNetwork(schema, N_CLASSES, config)
    job = Job.prepare(
        own,
        train,
        valid,
        class_counts=torch.bincount(train.targets),
        folds=fold_numbers(valid.targets),
        config=TrainingConfig(max_epochs=epochs, patience=epochs),
        device=torch.device("cpu") if device is None else device,
    )
    rates = torch.logspace(-3.5, -2.0, together).tolist()
    candidates = [Candidate(LossSpec(), lr=lr, weight_decay=0.01, dropout=DROPOUT) for lr in rates]
    return Setting(job, candidates, epochs, own)


def plain_network(width: int) -> NetworkConfig:
    """Return the network of the speed figures: two hidden layers on unencoded columns."""
    return NetworkConfig(width=width, depth=2, bins=0, normalise=False)


def make_part(n_rows: int, seed: int) -> Part:
    """Return rows of a noisy problem of two classes."""
    numeric, targets = make_rows(n_rows, seed)
    empty = torch.empty(n_rows, 0)
    return Part(
        TableInputs(numeric, empty.long(), empty.int(), empty), targets, None, torch.arange(n_rows)
    )


def make_rows(n_rows: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return numbers and classes of a noisy problem.

    Shape:
        output ``(N, 20)``, ``(N,)``
    """
    draw = torch.Generator().manual_seed(seed)
    numeric = torch.randn(n_rows, N_COLUMNS, generator=draw)
    score = numeric[:, :5].sum(1) + numeric[:, 5] * numeric[:, 6]
    return numeric, (score + torch.randn(n_rows, generator=draw) > 0).long()
