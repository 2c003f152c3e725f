"""Plain values that cross folders: trials, verdicts, a study's summary. No torch, no optuna.

Floor 1. Imports core alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from autoloss.core.display import Card, Shown, figures
from autoloss.records.insights import (
    ClassScores,
    Confusion,
    CostCurve,
    Disagreements,
    Ranking,
    Signals,
    Threshold,
)

TrialState = Literal["running", "complete", "diverged", "stopped", "pruned", "failed"]
Decision = Literal["better", "no_evidence", "worse", "undecided"]

# The metrics that stand for a trial where it prints.
_FIGURES = ("error", "refined_log_loss", "brier", "debiased_calibration_error")


@dataclass(frozen=True)
class CurvePoint:
    """One point of a learning curve: epoch (from 1), refined log loss in nats, error in [0, 1]."""

    epoch: int
    refined_log_loss: float
    error: float


@dataclass(frozen=True, repr=False)
class TrialRecord(Shown):
    """One trial as everything outside the search sees it.

    Args:
        number: Optuna's number of the trial, from 0.
        state: ``"complete"``, or how it ended otherwise; ``"pruned"`` where it left the race, and
            has a learning curve but no metrics.
        loss: The loss as dotted keys, as in `LossSpec.to_dict`:
            ``{"base": "focal", "focal.gamma": 2.0}``.
        nuisance: Settings besides the loss: ``lr``, ``weight_decay``, ``dropout``, ...
        metrics: Validation metrics by name (``"error"``, ``"refined_log_loss"``, ``"ece"``, ...);
            empty where the trial has none.
        readout: How logits become probabilities: ``"softmax"``, ``"softmax+temperature"``,
            ``"link"`` or ``"link+temperature"``.
        curve: The learning curve on the validation rows, at most 20 points.
        seconds: Training time that this trial cost (its share of the population's), in seconds.
        started: Start, seconds since the epoch.
        ended: End, seconds since the epoch.
        origin: Why the trial was asked: ``"default"`` (the literature's setting), ``"quota"`` or
            ``"sampler"``.
    """

    number: int
    state: TrialState
    loss: dict[str, Any]
    nuisance: dict[str, float]
    metrics: dict[str, float] = field(default_factory=dict)
    readout: str = "softmax"
    curve: tuple[CurvePoint, ...] = ()
    seconds: float = 0.0
    started: float = 0.0
    ended: float = 0.0
    origin: str = "sampler"

    def _card(self) -> Card:
        shown = [(name, self.metrics[name]) for name in _FIGURES if name in self.metrics]
        pairs = (
            ("loss", self.label),
            ("settings", figures(self.nuisance.items())),
            ("validation", figures(shown) or "no metrics"),
            ("read-out", self.readout),
            ("trained", f"{self.seconds:.3g} s, {self.origin}"),
        )
        return Card(f"Trial {self.number}, {self.state}", pairs)

    @property
    def family(self) -> str:
        """Return the family: the name of the base loss."""
        return str(self.loss["base"])

    @property
    def label(self) -> str:
        """Return a short readable name, such as ``focal gamma=2.1 + smoothing epsilon=0.05``."""
        parts = [self.family]
        for key in ("prior", "target", "penalty"):
            if self.loss.get(key, "none") != "none":
                parts.append(str(self.loss[key]))
        words = []
        for part in parts:
            shown = [
                f"{name.partition('.')[2]}={value:.3g}"
                if isinstance(value, float)
                else f"{name.partition('.')[2]}={value}"
                for name, value in self.loss.items()
                if name.startswith(f"{part}.")
            ]
            words.append(" ".join([part, *shown]))
        if self.loss.get("temperature", 1.0) != 1.0:
            words.append(f"temperature={self.loss['temperature']:.3g}")
        return " + ".join(words)


@dataclass(frozen=True)
class Comparison:
    """A metric of the challenger beside tuned cross-entropy, on the locked test rows.

    Args:
        metric: Its name, as in `TrialRecord.metrics`.
        baseline: Value of tuned cross-entropy.
        challenger: Value of the challenger.
        low: Lower end of the 95 % interval of ``challenger - baseline`` (paired bootstrap).
        high: Upper end of it.
        lower_is_better: The direction.
    """

    metric: str
    baseline: float
    challenger: float
    low: float
    high: float
    lower_is_better: bool = True

    @property
    def difference(self) -> float:
        """Return ``challenger - baseline``."""
        return self.challenger - self.baseline

    @property
    def covers_zero(self) -> bool:
        """Return whether the interval of the difference covers zero."""
        return self.low <= 0.0 <= self.high


@dataclass(frozen=True, repr=False)
class Verdict(Shown):
    """Whether the challenger beats tuned cross-entropy on rows that the search never saw.

    Args:
        decision: ``"better"``, ``"no_evidence"``, ``"worse"``, or ``"undecided"`` where the models
            did not learn enough to be compared.
        text: The verdict in one or two plain sentences.
        comparisons: The figures behind it, one a metric (at most six).
        n_test: Test rows.
        challenger: Number of the challenger's trial; the baseline's where no other loss was
            trained.
        baseline: Number of the trial of tuned cross-entropy.
        detectable: The smallest difference in error that this test part could have shown.
        primary: The metric that the decision is about: the metric that was asked for, else
            ``"log_loss"``; empty in older studies.
        reason: Why the decision is ``"undecided"``; empty otherwise.
        chance: Probability that the challenger is the best loss other than cross-entropy by the
            rule of the selection; NaN where unknown.
    """

    decision: Decision
    text: str
    comparisons: tuple[Comparison, ...]
    n_test: int
    challenger: int
    baseline: int
    detectable: float
    primary: str = ""
    reason: str = ""
    chance: float = float("nan")

    def _card(self) -> Card:
        compared = tuple(
            (
                one.metric,
                f"{one.challenger:.4g} against {one.baseline:.4g} of tuned cross-entropy "
                f"(difference {one.difference:+.4g}, 95% {one.low:+.4g} to {one.high:+.4g})",
            )
            for one in self.comparisons[:3]
        )
        return Card(f"Verdict: {self.decision}", (("in words", self.text), *compared))


@dataclass(frozen=True)
class Coverage:
    """How much of the planned training ran before the verdict.

    Args:
        trials: Trials that ended by themselves: trained to the end of their schedule, dropped by
            a race, or diverged.
        planned_trials: Trials that were asked for.
        epochs: Epochs of the less trained of challenger and tuned cross-entropy, in the search.
        planned_epochs: Epochs of the schedule that the search space asks for.
        cut: Trials that the time limit cut off.
        is_final_cut: Whether the time limit cut off final trainings or those of outer folds.
        is_schedule_done: Whether challenger and tuned cross-entropy were trained to the end of
            their schedule in the search.
        seconds_for_all: Time limit that the whole plan needs, in seconds; None where unknown.
    """

    trials: int
    planned_trials: int
    epochs: int
    planned_epochs: int
    cut: int = 0
    is_final_cut: bool = False
    is_schedule_done: bool = True
    seconds_for_all: float | None = None


@dataclass(frozen=True)
class DataSummary:
    """What the data was: rows of each part, columns, classes and what was done to them.

    ``n_train`` and ``n_valid`` are those of the first division; ``n_test`` is 0 where nested
    cross-validation takes the place of locked rows.
    ``class_weights`` and ``class_similarity`` are what the user gave of the classes, None where
    nothing. ``reasons`` says what told the kind of each of ``columns``, and ``aside`` what the
    columns are for that are neither inputs nor the target; both are empty in older studies.
    """

    source: str
    target: str
    task: str
    classes: tuple[str, ...]
    class_counts: tuple[int, ...]
    n_train: int
    n_valid: int
    n_test: int
    columns: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    class_weights: tuple[float, ...] | None = None
    class_similarity: tuple[tuple[float, ...], ...] | None = None
    reasons: tuple[str, ...] = ()
    aside: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Reliability:
    """Points of a reliability diagram on the test rows, one a bin of the top-label confidence.

    Args:
        name: Whose predictions: ``"challenger"`` or ``"cross-entropy"``, with or without the
            read-out.
        confidence: Mean confidence of each bin.
        accuracy: Share of correct rows of each bin.
        count: Rows of each bin.
        low: Lower end of the 95 % band of the accuracy if the model were calibrated.
        high: Upper end of it.
        histogram: Rows by their confidence, in bins of equal width from 0 to 1; empty in older
            studies.
    """

    name: str
    confidence: tuple[float, ...]
    accuracy: tuple[float, ...]
    count: tuple[int, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    histogram: tuple[int, ...] = ()


@dataclass(frozen=True)
class Resampling:
    """On which rows candidates were compared, and on which the verdict was reached.

    Args:
        kind: ``"holdout"``, ``"repeated_holdout"``, ``"cross_validation"`` or ``"forward"`` (by
            time, each fold validates what comes after its training rows).
        folds: Divisions of the rows into training and validation rows.
        verdict: ``"locked"`` test rows, or ``"nested"`` cross-validation in their place.
        outer: Outer folds of the nested cross-validation, all repeats together; 0 without it.
        replicates: Trainings of every finalist, each on a division and a seed of its own.
        text: All of this in a sentence or two.
    """

    kind: Literal["holdout", "repeated_holdout", "cross_validation", "forward"]
    folds: int
    verdict: Literal["locked", "nested"] = "locked"
    outer: int = 0
    replicates: int = 1
    text: str = ""


@dataclass(frozen=True)
class Finalist:
    """A trial that was trained again on fresh seeds and divisions, beside the other finalists.

    Args:
        number: Number of the trial.
        reasons: Why it is one: ``"best of focal"``, ``"lowest error"``, ``"tuned cross-entropy"``,
            ``"default cross-entropy"``.
        metric: The study's metric on the held-out rows of each training.
        log_loss: Their shipped log loss in nats.
        difference: Mean of the metric minus that of tuned cross-entropy.
        low: Lower end of the 95 % interval of `difference`, by the corrected resampled t-test.
        high: Upper end of it.
        is_admissible: Whether its metric lies within one paired standard error of the best.
        chance_best: Probability that its log loss is the lowest of the finalists'; NaN where
            it does not take part in the selection.
    """

    number: int
    reasons: tuple[str, ...]
    metric: tuple[float, ...]
    log_loss: tuple[float, ...]
    difference: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    is_admissible: bool = False
    chance_best: float = float("nan")


@dataclass(frozen=True)
class Gain:
    """One step from default cross-entropy to the challenger, on the rows of the verdict.

    The changes are from the step before and NaN in the first one; the ends are those of their 95 %
    intervals by the paired bootstrap.

    Args:
        step: ``"default cross-entropy"``, ``"tuned"``, ``"temperature"``, ``"threshold"`` or
            ``"prior"``, ``"another loss"``.
        detail: What was done, in words.
        metric: The study's metric.
        log_loss: Log loss in nats.
    """

    step: str
    detail: str
    metric: float
    log_loss: float
    metric_change: float = float("nan")
    metric_low: float = float("nan")
    metric_high: float = float("nan")
    log_loss_change: float = float("nan")
    log_loss_low: float = float("nan")
    log_loss_high: float = float("nan")


@dataclass(frozen=True)
class Optimism:
    """How much better the selected trial looks than it is (bootstrap of the selection itself).

    Args:
        trials: Trials that were selected among.
        metric: The study's metric of the trial with the lowest refined log loss, on the rows that
            it was selected on.
        metric_honest: What such a selection gives on rows that it did not see.
        log_loss: Refined log loss of that trial in nats, on the rows that it was selected on.
        log_loss_honest: What such a selection gives on rows that it did not see.
    """

    trials: int
    metric: float
    metric_honest: float
    log_loss: float
    log_loss_honest: float


@dataclass(frozen=True)
class Reference:
    """A model of another kind on the same rows.

    Args:
        name: Which, such as ``"gradient boosting"``.
        metric: The study's metric on the rows of the verdict.
        log_loss: Its log loss in nats.
        difference: Its metric minus that of what ships.
        low: Lower end of the 95 % interval of `difference` (paired bootstrap).
        high: Upper end of it.
        is_far_ahead: Whether it is so much better that the model is the problem, not the loss.
        text: What that says, in a sentence.
    """

    name: str
    metric: float
    log_loss: float
    difference: float
    low: float
    high: float
    is_far_ahead: bool
    text: str


@dataclass(frozen=True)
class Edge:
    """A setting whose best value lies on the edge of its range.

    Args:
        family: The family.
        key: The dotted key, such as ``"lr"`` or ``"focal.gamma"``.
        value: Its value in the family's best trial.
        side: ``"low"`` or ``"high"``.
        low: Lower end of the range that was searched at the end.
        high: Upper end of it.
        is_widened: Whether the range was widened while the study ran.
    """

    family: str
    key: str
    value: float
    side: Literal["low", "high"]
    low: float
    high: float
    is_widened: bool


@dataclass(frozen=True)
class TopShare:
    """The examples with the highest probability of the positive class.

    Args:
        share: Their share of all rows, such as 0.01.
        count: How many they are.
        expected: Positives among them by the probabilities.
        observed: Positives among them.
        recall: Share of all positives that they hold.
    """

    share: float
    count: int
    expected: float
    observed: int
    recall: float


@dataclass(frozen=True)
class Tails:
    """Calibration where positives are rare, of what ships on the rows of the verdict.

    Args:
        prevalence: Share of the positives.
        bins: Bins of the log-odds: `Reliability` of the positive class.
        top: The examples at the top.
    """

    prevalence: float
    bins: Reliability
    top: tuple[TopShare, ...]


@dataclass(frozen=True)
class PersonalChoice:
    """A person's decision that another trial ships.

    Args:
        number: Number of the trial that ships since.
        before: Number of the one that shipped before.
        reason: Why, in the person's words or by the rule that named it.
        by: Who.
        created: When, ISO 8601, UTC.
    """

    number: int
    before: int
    reason: str
    by: str
    created: str


@dataclass(frozen=True, repr=False)
class Summary(Shown):
    """A finished study as plain data: all that a report, a dashboard or a machine needs.

    Args:
        schema_version: Version of this layout.
        name: The study's name.
        created: When the study finished, ISO 8601, UTC.
        version: Version of autoloss.
        command: The command that makes the study again.
        metric: The metric in the place of error.
        lower_is_better: Its direction.
        data: The data.
        settings: Space, seed, network, batch size, budget, device: name to value.
        trials: All trials, in order of number.
        pareto: Numbers of the trials on the front of (metric, refined log loss).
        verdict: The verdict.
        recommended: Number of the trial that ships.
        rule: The selection rule in one sentence.
        test_metrics: Metrics on the test rows: ``{"challenger": {...}, "cross-entropy": {...}}``.
        reliability: Reliability diagrams on the test rows.
        importance: Importance of parameters for the objective, largest first; sums to 1.
        seconds: Wall time: ``{"total": ..., "training": ..., "outside": ...}``.
        resampling: On which rows candidates were compared; None where another loop trained them.
        finalists: The trials that were trained again.
        gains: Where the gain comes from, step by step.
        optimism: How much better the selection looks than it is.
        reference: A model of another kind.
        edges: Settings whose best value lies on the edge of its range.
        looks: Studies that had looked at the same test rows before.
        cost_matrix: Cost of each decision (columns) for each class (rows); None where none.
        tails: Calibration where positives are rare; None where they are not.
        choices: Decisions of people that another trial ships, in order of time.
        signals: What the losses of the finalists tell the network; None where it is not known.
        confusion: What challenger and tuned cross-entropy decide; None where it is not known.
        disagreements: On which rows they differ; None where it is not known.
        threshold: Where decisions are moved; None where the likeliest class is decided for.
        coverage: How much of the planned training ran; None in older studies.
        class_scores: How often each class is found and rightly decided for; None in older studies.
        ranking: ROC and precision-recall curves; None where there are not two classes.
        positive_reliability: Reliability diagrams of the probability of the positive class.
        cost_curve: The cost of a row under other costs; None where no costs were given.
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

    def _card(self) -> Card:
        ships = self.trial(self.recommended).label
        pairs = (
            ("verdict", f"{self.verdict.decision}: {self.verdict.text}"),
            ("ships", f"{ships} (trial {self.recommended})"),
        )
        return Card(f"Study {self.name!r}, {len(self.trials)} trials", pairs)

    def trial(self, number: int) -> TrialRecord:
        """Return the trial of that number."""
        return next(trial for trial in self.trials if trial.number == number)


@dataclass(frozen=True)
class Plan:
    """What a search is going to do, before anything is trained.

    Args:
        data: The data, split and typed.
        families: Families that will be searched, in the order in which a short budget drops them
            from the end.
        dropped: Families that the budget is too small for.
        trials: Trials that will be asked.
        quota: Trials that every family gets before the sampler may drop it.
        together: Candidates trained together; 0 where the search finds out.
        expected_seconds: Expected wall time of the whole search; None where it was not measured.
        detectable: The smallest difference in error that the test part can show.
        device: ``"cpu"`` or ``"cuda"``.
        notes: What was seen in the data and chosen because of it, one sentence each.
        name: The study's name; empty where none is begun.
        metric: The metric in the place of error.
        resampling: How rows are divided, in a sentence or two.
        verdict: ``"locked"`` test rows, or ``"nested"`` cross-validation in their place.
        allowed: What the time limit allows, in a sentence; empty without a limit.
    """

    data: DataSummary
    families: tuple[str, ...]
    dropped: tuple[str, ...]
    trials: int
    quota: int
    together: int
    expected_seconds: float | None
    detectable: float
    device: str
    notes: tuple[str, ...] = ()
    name: str = ""
    metric: str = "error"
    resampling: str = ""
    verdict: Literal["locked", "nested"] = "locked"
    allowed: str = ""


@dataclass(frozen=True)
class Update:
    """Where a search stands; one is sent after every epoch of a population.

    Args:
        phase: ``"search"`` or ``"final"`` (the final trainings).
        done: Trials that ended.
        total: Trials planned.
        fraction: Share of the whole work that is done, 0 to 1.
        elapsed: Seconds since the start.
        left: Expected seconds to the end.
        rate: Candidates a second so far.
        best_label: Readable name of the best trial so far, empty before the first ended.
        best_metric: Its value of the metric.
        best_log_loss: Its refined log loss in nats.
    """

    phase: Literal["search", "final"]
    done: int
    total: int
    fraction: float
    elapsed: float
    left: float
    rate: float
    best_label: str = ""
    best_metric: float = float("nan")
    best_log_loss: float = float("nan")


@dataclass(frozen=True)
class StudyListing:
    """A study as `autoloss list` shows it.

    Args:
        name: Its name.
        folder: Where it lies.
        created: When it was begun, seconds since the epoch.
        done: Trials that ended.
        trials: Trials of the budget.
        decision: The verdict's decision; None where the study is not finished.
        recommended: Readable name of the loss that ships; empty where the study is not finished.
    """

    name: str
    folder: str
    created: float
    done: int
    trials: int
    decision: Decision | None = None
    recommended: str = ""
