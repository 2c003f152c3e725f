"""The end of a study: a single confirmation on the test rows, and the summary."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import torch
from torch import Tensor

from autoloss.core.errors import InputError
from autoloss.data.costs import double_counting
from autoloss.data.rare import is_rare
from autoloss.data.values import label_of
from autoloss.metrics import (
    Judged,
    always_of,
    confidence_ece,
    debiased_calibration_error,
    ece_null,
    smooth_ece,
    tails,
    top_label,
)
from autoloss.metrics.label_places import LabelPlaces
from autoloss.readout import Items, Readout
from autoloss.records import (
    DataSummary,
    MetricRecord,
    Reliability,
    Summary,
    TrialRecord,
)
from autoloss.search.confirming import confirmed
from autoloss.search.evidence import Evidence, StudySnapshot
from autoloss.search.insights import ROLES, diagrams, insights
from autoloss.search.label_counts import label_counts, weights_of_classes, with_given
from autoloss.search.result import SearchResult
from autoloss.search.told import told
from autoloss.verdict.coverage import coverage_of
from autoloss.verdict.metric_rows import metric_on_rows
from autoloss.verdict.rules import rules_found
from autoloss.verdict.select import Choice

SCHEMA_VERSION = 1
TAILS_BELOW = 0.05
"""The prevalence below which the calibration of the positives is shown separately."""


def finish(
    study: StudySnapshot,
    choice: Choice,
    test_logits: Mapping[int, Any],
    test_labels: Any,
    data: DataSummary | None,
    readouts: Mapping[int, Readout],
    settings: Mapping[str, Any],
    seconds: Mapping[str, float] | None,
) -> SearchResult:
    """Confirm and summarise; see `Study.finish`."""
    finalists = (choice.challenger, choice.baseline)
    missing = sorted({one.number for one in finalists} - set(test_logits))
    if missing:
        raise InputError(
            "test_logits must have the logits of both finalists, but got none of trial "
            f"{' and '.join(map(str, missing))}; `study.finalists()` names them."
        )
    found = [_several(study, test_logits[one.number], test_labels) for one in finalists]
    items = found[0][1]
    challenger, baseline = (
        _shipped(study, one, several, items, readouts[one.number])
        for one, (several, _) in zip(finalists, found, strict=True)
    )
    raw = [_mean_softmax(study, several, items) for several, _ in found]
    coverage = coverage_of(
        study.trials,
        planned_trials=study.config.trials,
        planned_epochs=study.space.training.max_epochs,
    )
    evidence = Evidence(
        choice,
        confirmed(study, choice, (challenger, baseline), items, coverage=coverage),
        (challenger, baseline),
        items,
        raw=(raw[0], raw[1]),
        table="test",
        coverage=coverage,
    )
    return summarise(study, evidence, data=data, settings=settings, seconds=seconds)


def summarise(
    study: StudySnapshot,
    evidence: Evidence,
    *,
    data: DataSummary | None = None,
    settings: Mapping[str, Any] | None = None,
    seconds: Mapping[str, float] | None = None,
) -> SearchResult:
    """Return the summary of a study.

    Args:
        study: The study.
        evidence: The evidence for its conclusion.
        data: The description of the data; None if only another loop knows it.
        settings: Further settings for the report.
        seconds: Wall time by purpose; by default the sum of the training runs.
    """
    pairs = list(zip(ROLES, evidence.log_probs, strict=True))
    figures = {role: _figures(own, evidence.items, study) for role, own in pairs}
    of_models = {one.name for one in (study.metric, *study.own) if one.is_of_models}
    for one in evidence.verdict.comparisons:
        if one.metric in of_models:
            # The means of the training runs, because no rows give a value.
            for role, value in zip(ROLES, (one.challenger, one.baseline), strict=True):
                figures[role][one.metric] = value
    summary = _summary(study, evidence, figures, diagrams(evidence), data, settings or {}, seconds)
    rules = {name: list(found) for name, found in rules_found(summary).items()}
    return SearchResult(replace(summary, settings={**summary.settings, "rules": rules}))


def _shipped(
    study: StudySnapshot,
    record: TrialRecord,
    several: Sequence[Tensor],
    items: Items,
    readout: Readout,
) -> Tensor:
    """Return the log probabilities of a trial, averaged over its training runs; (N, C)."""
    log_probs = [items.scores(readout.log_probs(one, study.facts)[None])[0] for one in several]
    mean = torch.stack(log_probs).logsumexp(0) - math.log(len(log_probs))
    if not bool(torch.isfinite(mean).all()):
        raise InputError(
            f"test_logits must be finite, but got NaN or infinity in trial {record.number}."
        )
    return mean.double()


def _several(study: StudySnapshot, logits: Any, labels: Any) -> tuple[list[Tensor], Items]:
    """Return the logits of each training run in the layout of the losses, and the test items."""
    of_trainings = isinstance(logits, (list, tuple))
    if study.task.kind == "sequence":
        # A single training run is a list of sequences, each an array.
        of_trainings = isinstance(logits[0], (list, tuple))
    several = logits if of_trainings else [logits]
    found = [told(one, labels, study.facts, part="test") for one in several]
    return [one.cpu() for one, _ in found], found[0][1].to("cpu")


def _mean_softmax(study: StudySnapshot, several: Sequence[Tensor], items: Items) -> Tensor:
    """Return the mean of the softmax of several training runs as log probabilities, (N, C)."""
    scores = [items.scores(study.facts.over_classes(one)[None])[0] for one in several]
    log_probs = torch.stack([one.double().log_softmax(-1) for one in scores])
    return log_probs.logsumexp(0) - math.log(len(several))


def _figures(log_probs: Tensor, items: Items, study: StudySnapshot) -> dict[str, float]:
    """Return the metrics of shipped predictions on the rows of the verdict."""
    one, classes = log_probs[None], items.labels
    confidence, correct = top_label(one, classes)
    always = always_of(
        Judged(
            scores=one,
            are_logs=True,
            classes=classes,
            log_odds=one[..., 1] - one[..., 0] if study.task.is_yes_or_no else None,
            facts=study.facts,
            cost_matrix=study.metric.costs,
            places=LabelPlaces.of(items, study.facts),
            row_costs=items.costs,
        )
    )
    values = {
        **{name: always.pop(name) for name in ("error", "balanced_error", "log_loss", "brier")},
        "debiased_calibration_error": debiased_calibration_error(confidence, correct),
        "ece": confidence_ece(confidence, correct),
        "ece_null": ece_null(confidence),
        "smooth_ece": smooth_ece(confidence, correct),
        **always,
    }
    figures = {name: float(value[0]) for name, value in values.items()}
    for metric in (study.metric, *study.own):
        if metric.name not in figures:
            own = metric_on_rows(metric, study.facts, items)
            figures[own.name] = float(own.fn(log_probs.exp().numpy(), classes.numpy()))
    return {name: value for name, value in figures.items() if math.isfinite(value)}


def _summary(
    study: StudySnapshot,
    evidence: Evidence,
    figures: dict[str, dict[str, float]],
    reliability: tuple[Reliability, ...],
    data: DataSummary | None,
    settings: Mapping[str, Any],
    seconds: Mapping[str, float] | None,
) -> Summary:
    config, verdict, place = study.config, evidence.verdict, evidence.place
    trained = sum(trial.seconds for trial in study.trials)
    known = data or _unknown_data(study, verdict.n_test)
    return Summary(
        schema_version=SCHEMA_VERSION,
        name=config.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        version=config.version,
        command=str(config.origin.get("command", "")),
        metric=study.metric.name,
        lower_is_better=study.metric.lower_is_better,
        own_metrics=tuple(
            MetricRecord(one.name, one.lower_is_better, one.of, one.independent)
            for one in study.own
        ),
        data=replace(
            known,
            notes=(*known.notes, *evidence.notes, *_counted_twice(study, evidence.choice)),
            class_weights=None if known.labels else weights_of_classes(config),
            labels=with_given(known.labels, config, study.metric.costs),
            class_similarity=config.class_similarity,
        ),
        settings={**_search_settings(study), **settings},
        trials=study.trials,
        pareto=evidence.choice.front,
        verdict=verdict,
        recommended=(verdict.challenger, verdict.baseline)[place],
        rule=evidence.choice.rule,
        test_metrics=figures,
        reliability=reliability,
        importance=study.importance,
        seconds=dict(seconds or {"total": trained, "training": trained}),
        resampling=evidence.resampling,
        finalists=evidence.finalists,
        gains=evidence.gains,
        optimism=study.optimism,
        pair_optimism=evidence.pair_optimism,
        reference=evidence.reference,
        edges=study.edges,
        looks=evidence.looks,
        coverage=evidence.coverage,
        tails=tails(
            evidence.log_probs[place],
            evidence.targets,
            name=ROLES[place],
            clusters=evidence.items.clusters,
        )
        if study.task.is_yes_or_no and is_rare(known.class_counts, below=TAILS_BELOW)
        else None,
        **insights(study, evidence, place),
    )


def _search_settings(study: StudySnapshot) -> dict[str, Any]:
    return {
        "space": study.config.space_name,
        "seed": study.config.seed,
        "trials": study.config.trials,
        "families": list(study.plan.families),
        "dropped": list(study.plan.dropped),
        "quota": study.plan.quota,
        "objectives": list(study.space.objectives),
    }


def _counted_twice(study: StudySnapshot, choice: Choice) -> list[str]:
    """Return notes on a challenger or baseline that favours some classes twice."""
    has_costs = study.metric.costs is not None
    notes = [
        double_counting(one.loss, one.readout, has_costs=has_costs, metric=study.metric.name)
        for one in (choice.challenger, choice.baseline)
    ]
    return [sentence for sentence in dict.fromkeys(notes) if sentence]


def _unknown_data(study: StudySnapshot, n_test: int) -> DataSummary:
    """Return the description of data that the study never saw."""
    counts, task = tuple(map(int, study.class_counts.tolist())), study.task
    # Every label of a row is counted.
    n_train = sum(counts) // (study.facts.counts.numel() // len(counts))
    return DataSummary(
        source="a custom training loop",
        target=task.target,
        task=task.kind,
        classes=tuple(map(label_of, task.classes)),
        class_counts=counts,
        n_train=n_train,
        n_valid=study.n_valid,
        n_test=n_test,
        labels=label_counts(study.facts, study.task) if task.kind == "multilabel" else (),
        n_rows=n_train + study.n_valid + n_test if task.kind == "multilabel" else 0,
    )
