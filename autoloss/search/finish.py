"""The end of a study: one confirmation on the test rows, and everything as plain data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from autoloss.double_counting import double_counting
from autoloss.errors import InputError
from autoloss.metrics import (
    auroc,
    average_precision,
    balanced_error,
    brier,
    confidence_ece,
    debiased_calibration_error,
    ece_null,
    error,
    expected_cost,
    log_loss,
    smooth_ece,
    tails,
    top_label,
)
from autoloss.rare import is_rare
from autoloss.readout import Readout
from autoloss.records import (
    Coverage,
    DataSummary,
    Finalist,
    Gain,
    Reference,
    Reliability,
    Resampling,
    Summary,
    TrialRecord,
    Verdict,
)
from autoloss.search.confirm import Shipped, confirm, unopposed
from autoloss.search.coverage import coverage_of, shortfall
from autoloss.search.insights import ROLES, diagrams, insights
from autoloss.search.learnt import learnt
from autoloss.search.metric_rows import metric_on_rows
from autoloss.search.phrases import loss_name, undecided_text
from autoloss.search.result import SearchResult
from autoloss.search.rules import rules_found
from autoloss.search.scoring import as_classes, as_logits
from autoloss.search.select import Choice

if TYPE_CHECKING:
    from autoloss.search.study import Study

SCHEMA_VERSION = 1
TAILS_BELOW = 0.05
"""The prevalence below which the calibration of the positives is shown apart."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """What a study is concluded from, besides its trials.

    Args:
        choice: Challenger and tuned cross-entropy.
        verdict: The verdict.
        log_probs: What each of the two ships on the rows of the verdict, in the order of `ROLES`.
        targets: Classes of these rows.
        resampling: How rows were divided; None where another loop divided them.
        finalists: The trials that were trained again.
        gains: Where the gain comes from.
        reference: A model of another kind.
        looks: Studies that had looked at the same rows.
        notes: What else should be known, one sentence each.
        raw: The softmax of the logits of the two, before their read-outs; None where not known.
        rows: Number of each row in its table; None where they are counted from 0.
        table: Which table that is: ``"data"``, or ``"test"`` for a file of its own.
        coverage: How much of the planned training ran; None where it is not known.

    Shape:
        log_probs and raw twice (N, C), targets and rows (N,).
    """

    choice: Choice
    verdict: Verdict
    log_probs: tuple[Tensor, Tensor]
    targets: Tensor
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

    @property
    def place(self) -> int:
        """Return which of the two ships: 0 for the challenger, 1 for tuned cross-entropy."""
        return self.choice.place_of_shipped(self.verdict.decision)


def finish(
    study: Study,
    test_logits: Mapping[int, Any],
    test_labels: Any,
    data: DataSummary | None,
    readouts: Mapping[int, Readout],
    settings: Mapping[str, Any],
    seconds: Mapping[str, float] | None,
) -> SearchResult:
    """Confirm and summarise; see `Study.finish`."""
    choice = study.finalists()
    finalists = (choice.challenger, choice.baseline)
    missing = sorted({one.number for one in finalists} - set(test_logits))
    if missing:
        raise InputError(
            "test_logits must have those of the finalists, but got none of trial "
            f"{' and '.join(map(str, missing))}; `study.finalists()` names them."
        )
    challenger, baseline = (
        _shipped(study, one, test_logits[one.number], readouts.get(one.number))
        for one in finalists
    )
    raw = [_mean_softmax(_several(study, test_logits[one.number])) for one in finalists]
    classes = as_classes(
        test_labels, n_classes=len(study.class_counts), like=challenger, name="test_labels"
    )
    coverage = coverage_of(
        study.trials,
        planned_trials=study.budget,
        planned_epochs=study.space.training.max_epochs,
    )
    evidence = Evidence(
        choice,
        confirmed(study, choice, (challenger, baseline), classes, coverage=coverage),
        (challenger, baseline),
        classes,
        raw=(raw[0], raw[1]),
        table="test",
        coverage=coverage,
    )
    return summarise(study, evidence, data=data, settings=settings, seconds=seconds)


def confirmed(
    study: Study,
    choice: Choice,
    log_probs: tuple[Tensor, Tensor],
    targets: Tensor,
    *,
    coverage: Coverage,
    clusters: Tensor | None = None,
) -> Verdict:
    """Return the verdict on locked test rows.

    Args:
        study: The study.
        choice: Challenger and tuned cross-entropy.
        log_probs: Predictions of the two.
        targets: Classes of the rows.
        coverage: How much of the planned training ran.
        clusters: The cluster of each row; None where the rows are independent.

    Shape:
        log_probs twice (N, C), targets (N,), clusters (N,).
    """
    primary = study.config.verdict_metric
    if not choice.is_opposed:
        return unopposed(choice.baseline.number, len(targets), primary=primary)
    parts = [
        Shipped(one.number, one.label, own.numpy())
        for one, own in zip((choice.challenger, choice.baseline), log_probs, strict=True)
    ]
    verdict = confirm(
        parts[0],
        parts[1],
        targets.numpy(),
        metric=metric_on_rows(study.metric, study.class_counts),
        primary=primary,
        class_counts=study.class_counts.numpy(),
        clusters=None if clusters is None else clusters.numpy(),
        seed=study.seed,
    )
    return trusted(verdict, study, choice, log_probs[1], targets, coverage, clusters=clusters)


def trusted(
    verdict: Verdict,
    study: Study,
    choice: Choice,
    baseline: Tensor,
    targets: Tensor,
    coverage: Coverage,
    *,
    clusters: Tensor | None = None,
) -> Verdict:
    """Return a verdict, undecided where the models behind it did not learn enough.

    Args:
        verdict: The verdict by the tests alone.
        study: The study.
        choice: Challenger and tuned cross-entropy.
        baseline: Log probabilities of tuned cross-entropy.
        targets: Classes of the rows.
        coverage: How much of the planned training ran.
        clusters: The cluster of each row; None where the rows are independent.

    Shape:
        baseline (N, C), targets (N,), clusters (N,).
    """
    verdict = replace(verdict, chance=choice.chance)
    reason = shortfall(coverage)
    if not reason:
        reason = learnt(
            baseline.numpy(),
            targets.numpy(),
            study.class_counts.numpy(),
            clusters=None if clusters is None else clusters.numpy(),
        ).reason
    if not reason:
        return verdict
    both = (choice.challenger, choice.baseline)
    ships = both[choice.place_of_shipped("undecided")]
    return replace(
        verdict,
        decision="undecided",
        reason=reason,
        text=undecided_text(reason, loss_name(ships.label)),
    )


def summarise(
    study: Study,
    evidence: Evidence,
    *,
    data: DataSummary | None = None,
    settings: Mapping[str, Any] | None = None,
    seconds: Mapping[str, float] | None = None,
) -> SearchResult:
    """Return a study and what it is concluded from as plain data.

    Args:
        study: The study.
        evidence: What it is concluded from.
        data: What the data was; None where another loop knows it.
        settings: What else the report should show.
        seconds: Wall time, by what it was spent on; by default the sum of the trainings.
    """
    pairs = list(zip(ROLES, evidence.log_probs, strict=True))
    figures = {role: _figures(own, evidence.targets, study) for role, own in pairs}
    summary = _summary(study, evidence, figures, diagrams(evidence), data, settings or {}, seconds)
    rules = {name: list(found) for name, found in rules_found(summary).items()}
    return SearchResult(replace(summary, settings={**summary.settings, "rules": rules}))


def _shipped(study: Study, record: TrialRecord, logits: Any, readout: Readout | None) -> Tensor:
    """Return what a trial ships: log probabilities, averaged over its trainings; (N, C)."""
    readout = study.readout(record.number) if readout is None else readout
    log_probs = [readout.log_probs(one, study.facts) for one in _several(study, logits)]
    mean = torch.stack(log_probs).logsumexp(0) - math.log(len(log_probs))
    if not bool(torch.isfinite(mean).all()):
        raise InputError(
            f"test_logits must be finite, but got NaN or infinity in trial {record.number}."
        )
    return mean.double()


def _several(study: Study, logits: Any) -> list[Tensor]:
    """Return the logits of one training or of several, each (N, C)."""
    several = logits if isinstance(logits, (list, tuple)) else [logits]
    shape = (None, len(study.class_counts))
    return [as_logits(one, shape=shape, name="test_logits").cpu() for one in several]


def _mean_softmax(several: list[Tensor]) -> Tensor:
    """Return the mean of the softmax of several trainings as log probabilities, (N, C)."""
    log_probs = torch.stack([one.double().log_softmax(-1) for one in several])
    return log_probs.logsumexp(0) - math.log(len(several))


def _figures(log_probs: Tensor, classes: Tensor, study: Study) -> dict[str, float]:
    """Return the metrics of what is shipped on the test rows."""
    one = log_probs[None]
    confidence, correct = top_label(one, classes)
    values = {
        "error": error(one, classes),
        "balanced_error": balanced_error(one, classes, class_counts=study.class_counts),
        "log_loss": log_loss(one, classes),
        "brier": brier(one, classes),
        "debiased_calibration_error": debiased_calibration_error(confidence, correct),
        "ece": confidence_ece(confidence, correct),
        "ece_null": ece_null(confidence),
        "smooth_ece": smooth_ece(confidence, correct),
    }
    if one.shape[-1] == 2:
        margin = one[..., 1] - one[..., 0]
        values["average_precision"] = average_precision(margin, classes)
        values["auroc"] = auroc(margin, classes)
    if study.metric.costs is not None:
        values["expected_cost"] = expected_cost(one, classes, study.metric.costs)
    figures = {name: float(value[0]) for name, value in values.items()}
    if study.metric.name not in figures:
        own = metric_on_rows(study.metric, study.class_counts)
        figures[own.name] = float(own.fn(log_probs.exp().numpy(), classes.numpy()))
    return {name: value for name, value in figures.items() if math.isfinite(value)}


def _summary(
    study: Study,
    evidence: Evidence,
    figures: dict[str, dict[str, float]],
    reliability: tuple[Reliability, ...],
    data: DataSummary | None,
    settings: Mapping[str, Any],
    seconds: Mapping[str, float] | None,
) -> Summary:
    config, space, verdict = study.config, study.space, evidence.verdict
    trials = study.trials
    trained = sum(trial.seconds for trial in trials)
    constants = {
        "space": config.space_name,
        "seed": config.seed,
        "trials": config.trials,
        "families": list(study.families),
        "dropped": list(study.dropped),
        "quota": study.quota,
        "objectives": list(space.objectives),
    }
    # A network of the user's own is named in the settings, and has no part of the space's.
    built_in = {} if "model" in settings else asdict(space.network)
    network = {} if data is None else {**built_in, **asdict(space.training)}
    known = data or _unknown_data(study, verdict.n_test)
    place = evidence.place
    shipped = evidence.log_probs[place]
    return Summary(
        schema_version=SCHEMA_VERSION,
        name=config.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        version=config.version,
        command=str(config.origin.get("command", "")),
        metric=study.metric.name,
        lower_is_better=study.metric.lower_is_better,
        data=replace(
            known,
            notes=(*known.notes, *evidence.notes, *_counted_twice(study, evidence.choice)),
            class_weights=config.class_weights,
            class_similarity=config.class_similarity,
        ),
        settings={**constants, **network, **settings},
        trials=trials,
        pareto=evidence.choice.front,
        verdict=verdict,
        recommended=(verdict.challenger, verdict.baseline)[place],
        rule=evidence.choice.rule,
        test_metrics=figures,
        reliability=reliability,
        importance=study.importance(),
        seconds=dict(seconds or {"total": trained, "training": trained}),
        resampling=evidence.resampling,
        finalists=evidence.finalists,
        gains=evidence.gains,
        optimism=study.optimism(),
        reference=evidence.reference,
        edges=study.edges(),
        looks=evidence.looks,
        coverage=evidence.coverage,
        tails=tails(shipped, evidence.targets, name=ROLES[place])
        if is_rare(known.class_counts, below=TAILS_BELOW)
        else None,
        **insights(study, evidence, place),
    )


def _counted_twice(study: Study, choice: Choice) -> list[str]:
    """Return where challenger or baseline favour some classes twice."""
    has_costs = study.metric.costs is not None
    said = [
        double_counting(one.loss, one.readout, has_costs=has_costs, metric=study.metric.name)
        for one in (choice.challenger, choice.baseline)
    ]
    return [sentence for sentence in dict.fromkeys(said) if sentence]


def _unknown_data(study: Study, n_test: int) -> DataSummary:
    """Return what a study knows of data that it never saw."""
    counts = tuple(int(count) for count in study.config.class_counts)
    targets = study.examples.load_targets()
    return DataSummary(
        source="a training loop of the user's own",
        target="",
        task="binary" if len(counts) == 2 else "multiclass",
        classes=tuple(str(code) for code in range(len(counts))),
        class_counts=counts,
        n_train=sum(counts),
        n_valid=0 if targets is None else len(targets),
        n_test=n_test,
    )
