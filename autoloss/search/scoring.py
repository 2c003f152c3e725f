"""Scores the validation logits of trials that were trained anywhere."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from autoloss.losses import ClassFacts, LossSpec, Objective
from autoloss.metrics import Metric, Scores, score
from autoloss.readout import Items, fold_numbers, refined_log_loss


@dataclass(frozen=True)
class Scorer:
    """Scores trials of one study.

    Args:
        facts: Facts about the classes.
        metric: The study's metric.
        seed: Seed of the folds.
        own: Custom metrics, which are computed beside it.
    """

    facts: ClassFacts
    metric: Metric
    seed: int
    own: tuple[Metric, ...] = ()

    def folds(self, items: Items) -> Tensor:
        """Return the fold of each validation row for the cross-fitted read-out; (N,).

        Rows with one label are spread by class; rows with several items stay whole.
        """
        return fold_numbers(items.labels if items.rows is None else items.n_rows, seed=self.seed)

    def score(
        self,
        logits: Tensor,
        targets: Tensor | Items,
        specs: Sequence[LossSpec],
        *,
        folds: Tensor | None,
    ) -> Scores:
        """Return all metrics of K candidates.

        Shape:
            logits (K, N, C), targets (N,), folds (N,).
        """
        items = Items.of(targets, self.facts)
        folds = self.folds(items) if folds is None else folds
        objective = self._objective(logits, specs)
        return score(logits, items, objective, folds=folds, metric=self.metric, own=self.own)

    def refined(self, logits: Tensor, items: Items, spec: LossSpec) -> tuple[float, float]:
        """Return the refined log loss in nats and the error of a candidate in training.

        Shape:
            logits (N, C).
        """
        refined, error, _ = refined_log_loss(
            logits[None], items, self._objective(logits, [spec]), folds=self.folds(items)
        )
        return float(refined), float(error)

    def _objective(self, logits: Tensor, specs: Sequence[LossSpec]) -> Objective:
        return Objective(specs, self.facts, dtype=logits.dtype, device=logits.device)


def rows_fingerprint(items: Items) -> str:
    """Return a short digest of validation labels, and of the rows that they belong to."""
    digest = hashlib.sha256(items.labels.cpu().numpy().tobytes())
    for places in (items.rows, items.places):
        if places is not None:
            digest.update(places.cpu().numpy().tobytes())
    return digest.hexdigest()[:16]
