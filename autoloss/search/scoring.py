"""Scores the validation logits of trials that were trained anywhere."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autoloss.core.errors import InputError
from autoloss.losses import ClassFacts, LossSpec, Objective
from autoloss.metrics import Metric, Scores, score
from autoloss.readout import fold_numbers, refined_log_loss


@dataclass(frozen=True)
class Scorer:
    """Scores trials of one study.

    Args:
        facts: Facts about the classes.
        metric: The study's metric.
        seed: Seed of the folds.
    """

    facts: ClassFacts
    metric: Metric
    seed: int

    @property
    def class_counts(self) -> Tensor:
        """Return the rows of each class, with rows that the search leaves out; (C,)."""
        return self.facts.population

    def folds(self, targets: Tensor) -> Tensor:
        """Return the fold of each validation row for the cross-fitted read-out; (N,)."""
        return fold_numbers(targets, seed=self.seed)

    def score(
        self, logits: Tensor, targets: Tensor, specs: Sequence[LossSpec], *, folds: Tensor | None
    ) -> Scores:
        """Return all metrics of K candidates.

        Shape:
            logits (K, N, C), targets (N,), folds (N,).
        """
        folds = self.folds(targets) if folds is None else folds
        return score(
            logits, targets, self._objective(logits, specs), folds=folds, metric=self.metric
        )

    def refined(self, logits: Tensor, targets: Tensor, spec: LossSpec) -> tuple[float, float]:
        """Return the refined log loss in nats and the error of a candidate in training.

        Shape:
            logits (N, C), targets (N,).
        """
        refined, error, _ = refined_log_loss(
            logits[None], targets, self._objective(logits, [spec]), folds=self.folds(targets)
        )
        return float(refined), float(error)

    def _objective(self, logits: Tensor, specs: Sequence[LossSpec]) -> Objective:
        return Objective(specs, self.facts, dtype=logits.dtype, device=logits.device)


def as_logits(values: Any, *, shape: tuple[int | None, ...], name: str) -> Tensor:
    """Return logits as a tensor of at least single precision.

    Args:
        values: A tensor, an array, or a sequence of them.
        shape: The wanted shape; None stands for any length.
        name: Their name in a message.

    Raises:
        InputError: If they have another shape.
    """
    if isinstance(values, (list, tuple)):
        values = (
            torch.stack([torch.as_tensor(one) for one in values]) if values else torch.empty(0)
        )
    logits = torch.as_tensor(values).detach()
    if logits.dtype not in (torch.float32, torch.float64):
        logits = logits.float()
    fits = logits.ndim == len(shape) and all(
        length in (None, got) for length, got in zip(shape, logits.shape, strict=True)
    )
    if not fits:
        sizes = ", ".join("N" if length is None else str(length) for length in shape)
        raise InputError(
            f"{name} must have the shape ({sizes}), but got {name}.shape={tuple(logits.shape)}."
        )
    return logits


def as_classes(values: Any, *, n_classes: int, like: Tensor, name: str) -> Tensor:
    """Return the class of each row as a whole number, on the device of `like`.

    Args:
        values: Classes from 0; (N,).
        n_classes: Number of classes C.
        like: Logits; (..., N, C).
        name: The name of the classes in a message.

    Raises:
        InputError: If they are not classes, or not as many as rows.
    """
    classes = torch.as_tensor(np.asarray(values) if isinstance(values, (list, tuple)) else values)
    if classes.shape != like.shape[-2:-1] or not len(classes):
        raise InputError(
            f"{name} must have one class a row, but got {name}.shape={tuple(classes.shape)} "
            f"for {like.shape[-2]} rows."
        )
    whole = classes.long()
    if (
        not bool((whole == classes).all())
        or not 0 <= int(whole.min()) <= int(whole.max()) < n_classes
    ):
        raise InputError(
            f"{name} must be classes 0 to {n_classes - 1}, but got values from {classes.min()} "
            f"to {classes.max()}."
        )
    return whole.to(like.device)


def rows_fingerprint(classes: Tensor) -> str:
    """Return a short digest of validation labels."""
    return hashlib.sha256(classes.cpu().numpy().tobytes()).hexdigest()[:16]
