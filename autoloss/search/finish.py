"""The end of a study: one confirmation on the test rows, and everything as plain data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from autoloss.errors import InputError
from autoloss.metrics import (
    METRIC_NAMES,
    auroc,
    average_precision,
    balanced_error,
    brier,
    confidence_ece,
    debiased_calibration_error,
    ece_null,
    error,
    log_loss,
    reliability,
    smooth_ece,
    top_label,
)
from autoloss.readout import Readout
from autoloss.records import DataSummary, Reliability, Summary, TrialRecord, Verdict
from autoloss.search.confirm import Shipped, confirm
from autoloss.search.metric_rows import metric_on_rows
from autoloss.search.result import SearchResult
from autoloss.search.scoring import as_classes, as_logits
from autoloss.search.select import Choice

if TYPE_CHECKING:
    from autoloss.search.study import Study

SCHEMA_VERSION = 1
_ROLES = ("challenger", "cross-entropy")


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
    shipped = [
        _shipped(study, one, test_logits[one.number], readouts.get(one.number))
        for one in finalists
    ]
    classes = as_classes(
        test_labels, n_classes=len(study.class_counts), like=shipped[0], name="test_labels"
    )
    named = metric_on_rows(study.metric, study.class_counts)
    parts = [
        Shipped(one.number, one.label, log_probs.numpy())
        for one, log_probs in zip(finalists, shipped, strict=True)
    ]
    verdict = confirm(
        parts[0],
        parts[1],
        classes.numpy(),
        metric=named,
        class_counts=study.class_counts.numpy(),
        seed=study.seed,
    )
    figures = {
        role: _figures(log_probs, classes, study)
        for role, log_probs in zip(_ROLES, shipped, strict=True)
    }
    diagrams = tuple(
        reliability(log_probs, classes, name=role)
        for role, log_probs in zip(_ROLES, shipped, strict=True)
    )
    return SearchResult(
        _summary(study, choice, verdict, figures, diagrams, data, settings, seconds)
    )


def _shipped(study: Study, record: TrialRecord, logits: Any, readout: Readout | None) -> Tensor:
    """Return what a trial ships: log probabilities, averaged over its trainings; (N, C)."""
    readout = study.readout(record.number) if readout is None else readout
    several = logits if isinstance(logits, (list, tuple)) else [logits]
    shape = (None, len(study.class_counts))
    log_probs = [
        readout.log_probs(as_logits(one, shape=shape, name="test_logits").cpu(), study.facts)
        for one in several
    ]
    mean = torch.stack(log_probs).logsumexp(0) - math.log(len(log_probs))
    if not bool(torch.isfinite(mean).all()):
        raise InputError(
            f"test_logits must be finite, but got NaN or infinity in trial {record.number}."
        )
    return mean.double()


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
    figures = {name: float(value[0]) for name, value in values.items()}
    if study.metric.name not in METRIC_NAMES:
        own = metric_on_rows(study.metric, study.class_counts)
        figures[own.name] = float(own.fn(log_probs.exp().numpy(), classes.numpy()))
    return {name: value for name, value in figures.items() if math.isfinite(value)}


def _summary(
    study: Study,
    choice: Choice,
    verdict: Verdict,
    figures: dict[str, dict[str, float]],
    diagrams: tuple[Reliability, ...],
    data: DataSummary | None,
    settings: Mapping[str, Any],
    seconds: Mapping[str, float] | None,
) -> Summary:
    config, space = study.config, study.space
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
    network = {} if data is None else {**asdict(space.network), **asdict(space.training)}
    return Summary(
        schema_version=SCHEMA_VERSION,
        name=config.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        version=config.version,
        command=str(config.origin.get("command", "")),
        metric=study.metric.name,
        lower_is_better=study.metric.lower_is_better,
        data=replace(
            data or _unknown_data(study, verdict.n_test),
            class_weights=config.class_weights,
            class_similarity=config.class_similarity,
        ),
        settings={**constants, **network, **settings},
        trials=trials,
        pareto=choice.front,
        verdict=verdict,
        recommended=verdict.challenger if verdict.decision == "better" else verdict.baseline,
        rule=choice.rule,
        test_metrics=figures,
        reliability=diagrams,
        importance=study.importance(),
        seconds=dict(seconds or {"total": trained, "training": trained}),
    )


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
