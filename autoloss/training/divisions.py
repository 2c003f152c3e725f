"""The divisions on which trials train, and the combined result of a trial on all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from autoloss.core.ragged import Labels, Ragged, joined_labels
from autoloss.core.settings import NO_AUGMENT, AugmentConfig, NetworkConfig, TrainingConfig
from autoloss.data import Fold, Part
from autoloss.data.rare import subsample
from autoloss.losses import ClassFacts
from autoloss.models import OwnModel, networks_for
from autoloss.readout import fold_numbers
from autoloss.records import TrainingReport, merged
from autoloss.training import Job, Outcome


@dataclass(frozen=True, eq=False)
class Divisions:
    """The divisions on which trials train, on the device.

    Args:
        jobs: One for each.
        targets: Classes or labels of all validation rows, division after division.
        clusters: Cluster of each of these rows: its row in the table, or its group.
        folds: Fold of each of these rows for the cross-fitted read-out.
        model: The custom network; None for the built-in network.
        row_costs: Cost of each of these rows; None for 1.

    Shape:
        clusters, folds and row_costs ``(N,)``; targets ``(N,)``, of several labels ``(N, L)``, of
        sequences `Ragged`.
    """

    jobs: tuple[Job, ...]
    targets: Labels
    clusters: Tensor
    folds: Tensor
    model: OwnModel | None = None
    row_costs: Tensor | None = None

    @classmethod
    def of(
        cls,
        folds: Sequence[Fold],
        n_outputs: int,
        network: NetworkConfig,
        training: TrainingConfig,
        *,
        device: torch.device,
        seed: int,
        facts: ClassFacts | None = None,
        teacher: Callable[[Fold], Tensor | None] | None = None,
        negatives: float = 0,
        model: OwnModel | None = None,
        augment: AugmentConfig = NO_AUGMENT,
    ) -> Self:
        """Bring divisions to the device.

        Args:
            folds: The divisions.
            n_outputs: Logits of a row: C, or one for each label.
            network: The built-in network.
            training: The training configuration.
            device: The device.
            seed: Seed of the folds of the read-outs.
            facts: Facts on the classes besides their counts; None for none.
            teacher: Returns the logits of a teacher for the training rows of a division,
                ``(N, C)``, or None while it has none; None for no teacher.
            negatives: Negatives to train on for each positive; 0 for all.
            model: A custom network in place of the built-in network.
            augment: How images are changed in training.
        """
        schemas = [fold.encoding.schema for fold in folds]
        networks = networks_for(schemas, n_outputs, network, model, augment=augment)
        jobs: dict[int, Job] = {}
        for own, fold in zip(networks, folds, strict=True):
            if id(fold) in jobs:
                # Training runs that differ only in their seeds use the same rows.
                continue
            train, known, kept = _thinned(fold, facts, negatives, seed)
            taught = None if teacher is None else teacher(fold)
            if taught is not None and kept is not None:
                taught = taught[kept]
            jobs[id(fold)] = Job.prepare(
                own,
                train,
                fold.valid,
                class_counts=known,
                folds=_readout_folds(fold.valid.targets, fold.valid.clusters, seed),
                config=training,
                device=device,
                teacher=taught,
            )
        targets = joined_labels([fold.valid.targets for fold in folds])
        clusters = torch.cat([fold.valid.clusters for fold in folds])
        return cls(
            tuple(jobs[id(fold)] for fold in folds),
            targets.to(device),
            clusters,
            _readout_folds(targets, clusters, seed).to(device),
            model,
            joined_costs([fold.valid for fold in folds]),
        )

    def trained(self, training: TrainingConfig) -> Divisions:
        """Return the same divisions with another training configuration."""
        jobs: dict[int, Job] = {}
        for job in self.jobs:
            # Divisions with the same rows share the encoding.
            jobs.setdefault(id(job), replace(job, config=training))
        return replace(self, jobs=tuple(jobs[id(job)] for job in self.jobs))

    def __len__(self) -> int:
        """Return the number of divisions."""
        return len(self.jobs)


def joined_costs(parts: Sequence[Part]) -> Tensor | None:
    """Return the costs of the rows of some parts, one after another; None without costs."""
    costs = [part.costs for part in parts if part.costs is not None]
    return torch.cat(costs) if costs else None


def _thinned(
    fold: Fold, facts: ClassFacts | None, negatives: float, seed: int
) -> tuple[Part, ClassFacts, Tensor | None]:
    """Return the training rows of a division after subsampling, class facts, and the rows kept.

    All rows are kept if there is None.
    """
    counts = fold.class_counts.double()
    known = ClassFacts(counts) if facts is None else replace(facts, counts=counts)
    if not negatives:
        return fold.train, known, None
    rows, rates = subsample(fold.train.targets, negatives, seed)
    return fold.train.take(rows), known.thinned(rates), rows


def _readout_folds(targets: Labels, clusters: Tensor, seed: int) -> Tensor:
    """Return folds that spread the classes evenly and do not cut clusters; none of no rows.

    Several labels of a row, and the tags of a sequence, stay in one fold.
    """
    if not len(targets):
        return torch.zeros_like(clusters)
    if isinstance(targets, Ragged) or targets.ndim > 1:
        return fold_numbers(len(targets), seed=seed, groups=clusters)
    if len(set(clusters.tolist())) == len(clusters):
        return fold_numbers(targets, seed=seed)
    return fold_numbers(targets, seed=seed, groups=clusters)


@dataclass(frozen=True, eq=False)
class Trained:
    """The result of training a trial on all divisions.

    Args:
        report: How the training went, on all divisions together.
        outcomes: The outcome on each division.
    """

    report: TrainingReport
    outcomes: tuple[Outcome, ...]

    @classmethod
    def of(cls, outcomes: Sequence[Outcome]) -> Self:
        """Return the combined result of the training runs of a trial."""
        return cls(merged([outcome.report for outcome in outcomes]), tuple(outcomes))

    @property
    def logits(self) -> Tensor:
        """Return the logits of all validation rows, division by division.

        Shape:
            ``(N, C)``; of several labels ``(N, L)``; of the tokens of sequences ``(1, T, C)``.
        """
        # Rows, or the tokens of sequences.
        return torch.cat([outcome.logits for outcome in self.outcomes], -2)
