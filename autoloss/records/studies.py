"""A finished study, and the line of a study in a list."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from autoloss.core.display import Card, Shown
from autoloss.records.code_lengths import CodeLengths
from autoloss.records.divisions import DataSummary, Resampling
from autoloss.records.insights import (
    ClassScores,
    Confusion,
    CostCurve,
    Disagreements,
    Ranking,
    RuleCost,
    Signals,
    Threshold,
)
from autoloss.records.labels import LabelInsights
from autoloss.records.ood import SearchStrangers, ood_names
from autoloss.records.reliability import Reliability, Tails
from autoloss.records.tags import TagInsights
from autoloss.records.trials import Edge, TrialRecord
from autoloss.records.verdicts import (
    Coverage,
    Decision,
    Finalist,
    Gain,
    Optimism,
    PairOptimism,
    Reference,
    Refit,
    ShippingPolicy,
    Verdict,
)


@dataclass(frozen=True)
class PersonalChoice:
    """A person's decision that another trial ships.

    Args:
        number: Number of the trial that ships since.
        before: Number of the trial that shipped before.
        reason: Why, in the person's words or by the rule that named it.
        by: The person's name.
        created: The time, ISO 8601, UTC.
    """

    number: int
    before: int
    reason: str
    by: str
    created: str


@dataclass(frozen=True)
class MetricRecord:
    """A custom metric.

    Args:
        name: Its name, in `TrialRecord.metrics` and `Summary.test_metrics`.
        lower_is_better: Its direction.
        of: Its subject: ``"probabilities"``, ``"logits"`` or the ``"model"``.
        independent: Whether a sample of rows has a value like all rows.
    """

    name: str
    lower_is_better: bool
    of: str = "probabilities"
    independent: bool = True


@dataclass(frozen=True, repr=False)
class Summary(Shown):
    """A finished study as plain data: all that a report, a dashboard or a machine needs.

    Args:
        schema_version: Version of this layout.
        name: The study's name.
        created: When the study finished, ISO 8601, UTC.
        version: Version of autoloss.
        command: The command that makes the study again.
        metric: The metric in place of error.
        lower_is_better: Its direction.
        data: The data.
        settings: Space, seed, network, batch size, budget, device: name to value.
        trials: All trials, in order of number.
        pareto: Numbers of the trials on the front of (metric, refined log loss).
        verdict: The verdict.
        recommended: Number of the trial that ships.
        rule: The selection rule in one sentence.
        test_metrics: Metrics on the rows of the verdict, not corrected for the selection:
            ``{"challenger": {...}, "cross-entropy": {...}}``.
        reliability: Reliability diagrams on the rows of the verdict.
        importance: Importance of parameters for the objective, largest first; sums to 1.
        seconds: Wall time: ``{"total": ..., "training": ..., "outside": ...}``.
        resampling: The rows that candidates were compared on; None if another loop trained them.
        finalists: The trials that were trained again.
        gains: Where the gain comes from, step by step.
        optimism: How much better the selection looks than it is.
        pair_optimism: How much it flatters the challenger against tuned cross-entropy, where the
            comparisons are corrected by it; None where the rows of the verdict selected nothing.
        reference: A model of another kind.
        edges: Settings whose best value lies on the edge of its range.
        looks: Studies that had looked at the same test rows before.
        cost_matrix: Cost of each decision (columns) for each class (rows); None if not given.
        tails: Calibration of rare positives; None if they are not rare.
        choices: Decisions of people that another trial ships, in order of time.
        signals: The gradient signals of the finalists' losses; None if unknown.
        confusion: The decisions of challenger and tuned cross-entropy; None if unknown.
        disagreements: The rows on which they differ; None if unknown.
        threshold: The decision threshold; None if the decision is the most probable class.
        coverage: How much of the planned training ran; None in older studies.
        class_scores: How often each class is found and rightly decided for; None in older studies.
        ranking: ROC and precision-recall curves; None unless there are two classes.
        positive_reliability: Reliability diagrams of the probability of the positive class.
        cost_curve: The cost of a row under other costs; None if no costs were given, except for
            two classes.
        policies: The models that could ship, compared; empty in older studies, and if another
            loop trained the networks.
        refit: The last training run on all rows; None in older studies.
        labels: The models on each of several labels; None for one label a row.
        tags: The models on the tags of sequences; None for labels of rows.
        rule_costs: The cost of each decision rule; empty without a cost matrix.
        strangers: How well the models detect out-of-distribution (OOD) rows; None without any.
        code_lengths: The bits of a label by both models; None in older studies.
        own_metrics: Custom metrics.
    """

    schema_version: int
    name: str
    created: str
    version: str
    command: str
    metric: str
    lower_is_better: bool
    data: DataSummary
    settings: dict[str, Any]
    trials: tuple[TrialRecord, ...]
    pareto: tuple[int, ...]
    verdict: Verdict
    recommended: int
    rule: str
    test_metrics: dict[str, dict[str, float]]
    reliability: tuple[Reliability, ...] = ()
    importance: tuple[tuple[str, float], ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    resampling: Resampling | None = None
    finalists: tuple[Finalist, ...] = ()
    gains: tuple[Gain, ...] = ()
    optimism: Optimism | None = None
    reference: Reference | None = None
    edges: tuple[Edge, ...] = ()
    looks: int = 0
    cost_matrix: tuple[tuple[float, ...], ...] | None = None
    tails: Tails | None = None
    choices: tuple[PersonalChoice, ...] = ()
    signals: Signals | None = None
    confusion: Confusion | None = None
    disagreements: Disagreements | None = None
    threshold: Threshold | None = None
    coverage: Coverage | None = None
    class_scores: ClassScores | None = None
    ranking: Ranking | None = None
    positive_reliability: tuple[Reliability, ...] = ()
    cost_curve: CostCurve | None = None
    pair_optimism: PairOptimism | None = None
    policies: tuple[ShippingPolicy, ...] = ()
    refit: Refit | None = None
    labels: LabelInsights | None = None
    tags: TagInsights | None = None
    strangers: SearchStrangers | None = None
    rule_costs: tuple[RuleCost, ...] = ()
    code_lengths: CodeLengths | None = None
    own_metrics: tuple[MetricRecord, ...] = ()

    @property
    def shipping(self) -> tuple[int, ...]:
        """Return the trials of the shipped model: several for a blend, otherwise one."""
        return next((one.numbers for one in self.policies if one.ships), (self.recommended,))

    def _card(self) -> Card:
        ships = [f"{self.trial(number).label} (trial {number})" for number in self.shipping]
        pairs = (
            ("verdict", f"{self.verdict.decision}: {self.verdict.text}"),
            ("ships", " + ".join(ships)),
        )
        return Card(f"Study {self.name!r}, {len(self.trials)} trials", pairs)

    def is_lower_better(self, metric: str) -> bool | None:
        """Return the direction of a metric, None for a metric that no trial is compared by.

        Args:
            metric: The study's metric, a custom metric, or an OOD figure.
        """
        known = {name: not higher for name, higher in self.stranger_figures.items()}
        known |= {one.name: one.lower_is_better for one in self.own_metrics}
        return {**known, self.metric: self.lower_is_better}.get(metric)

    @property
    def stranger_figures(self) -> dict[str, bool]:
        """Return the OOD figures that trials have, and whether higher is better."""
        found = {name for trial in self.trials for name in trial.metrics}
        return {name: higher for name, higher in ood_names().items() if name in found}

    def trial(self, number: int) -> TrialRecord:
        """Return the trial of that number."""
        return next(trial for trial in self.trials if trial.number == number)


@dataclass(frozen=True)
class StudyListing:
    """A study as `autoloss list` shows it.

    Args:
        name: Its name.
        folder: Its folder.
        created: Its start, seconds since the epoch.
        done: Trials that ended.
        trials: Trials of the budget.
        decision: The verdict's decision; None if the study is not finished.
        recommended: Readable name of the shipped loss; empty if it is not finished.
    """

    name: str
    folder: str
    created: float
    done: int
    trials: int
    decision: Decision | None = None
    recommended: str = ""
