"""The values behind the conclusion of a study: its trials, and the evidence on test rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from autoloss.core.task import Task
from autoloss.losses import ClassFacts
from autoloss.metrics import Metric
from autoloss.readout import Items
from autoloss.records import (
    Coverage,
    Edge,
    Finalist,
    Gain,
    Optimism,
    PairOptimism,
    Reference,
    Resampling,
    TrialRecord,
    Verdict,
)
from autoloss.search.config import StudyConfig
from autoloss.search.quota import FamilyPlan
from autoloss.search.space import Space
from autoloss.verdict.metric_rows import metric_on_rows
from autoloss.verdict.named_metric import NamedMetric
from autoloss.verdict.paired import PairedTest
from autoloss.verdict.select import Choice
from autoloss.verdict.significance import LOG_LOSS


@dataclass(frozen=True)
class JudgedMetrics:
    """The metrics by which a verdict compares.

    Args:
        metric: The study's metric; None for the error.
        beside: The custom metrics besides it.
        primary: Name of the metric that decides.
    """

    metric: NamedMetric | None
    beside: tuple[NamedMetric, ...]
    primary: str


@dataclass(frozen=True, eq=False)
class StudySnapshot:
    """A study whose trials have ended, as frozen values.

    Args:
        config: Its settings.
        metric: Its metric.
        own: Custom metrics, with the study's metric if that is one.
        space: Its search space.
        plan: The searched and the dropped families, with the quota.
        facts: Facts about the classes.
        trials: Its trials, in order of number.
        n_valid: Validation rows of the stored example losses; 0 without stored losses.
        importance: Share of each parameter in the variation of the refined log loss, the largest
            first.
        optimism: The optimism of the selection; None if unknown.
        edges: Settings whose best value lies at an end of the searched range.
    """

    config: StudyConfig
    metric: Metric
    own: tuple[Metric, ...]
    space: Space
    plan: FamilyPlan
    facts: ClassFacts
    trials: tuple[TrialRecord, ...]
    n_valid: int
    importance: tuple[tuple[str, float], ...]
    optimism: Optimism | None
    edges: tuple[Edge, ...]

    def judged(
        self, items: Items, paired: Mapping[str, PairedTest] | None = None
    ) -> JudgedMetrics:
        """Return the metrics by which the verdict compares.

        A metric of models that no paired training runs compare is left out, and the error and the
        log loss replace the study's metric.

        Args:
            items: The items of the rows of the verdict.
            paired: The comparisons of metrics by paired training runs.
        """
        known = paired or {}
        every = [
            metric_on_rows(one, self.facts, items, paired=known)
            for one in (self.metric, *(own for own in self.own if own.name != self.metric.name))
            if one.name in known or not one.is_of_models
        ]
        if every and every[0].name == self.metric.name:
            return JudgedMetrics(every[0], tuple(every[1:]), self.config.verdict_metric)
        return JudgedMetrics(None, tuple(every), LOG_LOSS)

    @property
    def task(self) -> Task:
        """Return the kind of label, with the names of the classes."""
        return self.config.task

    @property
    def class_counts(self) -> Tensor:
        """Return the training rows of each class of an item; (C,)."""
        return self.facts.item_counts

    @property
    def seed(self) -> int:
        """Return the seed."""
        return self.config.seed


@dataclass(frozen=True, eq=False)
class Evidence:
    """The evidence for the conclusion of a study, besides its trials.

    Args:
        choice: Challenger and tuned cross-entropy.
        verdict: The verdict.
        log_probs: Log probabilities of both after their read-outs, in the order of `ROLES`.
        items: The items of the rows of the verdict.
        resampling: The division of the rows; None if another loop divided them.
        finalists: The trials that were trained again.
        gains: The steps of the gain.
        reference: Gradient boosting, for comparison.
        looks: Earlier studies with the same test rows.
        notes: Further notes, a sentence each.
        raw: Log probabilities of both by the softmax of their logits; None if unknown.
        rows: Number of the row of each item in its table; None for 0, 1, 2, ...
        table: The name of the table: ``"data"``, or ``"test"`` for a separate file.
        coverage: The share of the planned training that ran; None if unknown.
        pair_optimism: The optimism by which the verdict is corrected; None for no correction.

    Shape:
        log_probs and raw twice (M, C), rows (M,).
    """

    choice: Choice
    verdict: Verdict
    log_probs: tuple[Tensor, Tensor]
    items: Items
    resampling: Resampling | None = None
    finalists: tuple[Finalist, ...] = ()
    gains: tuple[Gain, ...] = ()
    reference: Reference | None = None
    looks: int = 0
    notes: tuple[str, ...] = ()
    raw: tuple[Tensor, Tensor] | None = None
    rows: Tensor | None = None
    table: str = "data"
    coverage: Coverage | None = None
    pair_optimism: PairOptimism | None = None

    @property
    def targets(self) -> Tensor:
        """Return the classes of the items, (M,)."""
        return self.items.labels

    @property
    def place(self) -> int:
        """Return 0 if the challenger ships, 1 if tuned cross-entropy ships."""
        return self.choice.place_of_shipped(self.verdict.decision)
