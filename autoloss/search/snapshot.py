"""A study as it stands when it is concluded: plain values that nothing changes any more."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from autoloss.losses import ClassFacts
from autoloss.metrics import Metric
from autoloss.records import Edge, Optimism, TrialRecord
from autoloss.search.config import StudyConfig
from autoloss.search.quota import FamilyPlan
from autoloss.search.space import Space


@dataclass(frozen=True, eq=False)
class StudySnapshot:
    """A study whose trials have ended.

    Args:
        config: Its settings.
        metric: Its metric.
        space: Its search space.
        plan: Its families, those that were dropped, and the quota.
        facts: Facts about the classes.
        trials: Its trials, in order of number.
        n_valid: Validation rows of the stored example losses; 0 where none are stored.
        importance: Share of each parameter in the variation of the refined log loss, the largest
            first.
        optimism: How much better the selection looks than it is; None where unknown.
        edges: Settings whose best value lies on the edge of its range.
    """

    config: StudyConfig
    metric: Metric
    space: Space
    plan: FamilyPlan
    facts: ClassFacts
    trials: tuple[TrialRecord, ...]
    n_valid: int
    importance: tuple[tuple[str, float], ...]
    optimism: Optimism | None
    edges: tuple[Edge, ...]

    @property
    def class_counts(self) -> Tensor:
        """Return the training rows of each class; (C,)."""
        return self.facts.counts

    @property
    def seed(self) -> int:
        """Return the seed."""
        return self.config.seed
