"""The trials and the families as rows of the ranked tables."""

from __future__ import annotations

import math
from dataclasses import dataclass

from autoloss.records import REFINED_LOG_LOSS, Summary, TrialRecord
from autoloss.report.roles import metric_value, ranked_trials, trial_roles
from autoloss.report.words import MISSING, ORIGINS, STATES, figure_text, metric_words, value_text

_SHOWN = ("error", REFINED_LOG_LOSS, "calibration_loss", "ece", "ece_null", "temperature")


@dataclass(frozen=True)
class Cell:
    """A number as text, and as the value that sorts it; None if it is missing."""

    text: str
    value: float | None = None


@dataclass(frozen=True)
class TrialRow:
    """A line of the ranked table of trials.

    Args:
        rank: Place by log loss after calibration, from 1; None without one.
        number: The trial's number.
        label: The loss in short.
        family: Its family.
        state: How it ended.
        origin: Why it was asked.
        roles: As `autoloss.report.roles.trial_roles` names them.
        cells: One cell a column of `trial_columns`.
    """

    rank: int | None
    number: int
    label: str
    family: str
    state: str
    origin: str
    roles: tuple[str, ...]
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class FamilyRow:
    """A family's trials in one line: all, trials with a result, and the best."""

    family: str
    trials: int
    complete: int
    metric: str
    log_loss: str
    best: str
    best_number: int | None


def trial_columns(summary: Summary) -> tuple[str, ...]:
    """Return the titles of the number columns: metrics that any trial has, then settings."""
    metrics = [
        metric_words(name, lower_is_better=summary.lower_is_better).title
        for name in _metrics(summary)
    ]
    return (*metrics, *_settings(summary), "Epochs", "Seconds")


def trial_rows(summary: Summary) -> tuple[TrialRow, ...]:
    """Return the ranked table, best first."""
    roles = trial_roles(summary)
    metrics, settings = _metrics(summary), _settings(summary)
    rows = []
    for place, trial in enumerate(ranked_trials(summary), start=1):
        rows.append(
            TrialRow(
                rank=None if math.isnan(metric_value(trial, REFINED_LOG_LOSS)) else place,
                number=trial.number,
                label=trial.label,
                family=trial.family,
                state=STATES.get(trial.state, trial.state),
                origin=ORIGINS.get(trial.origin, trial.origin),
                roles=roles.get(trial.number, ()),
                cells=_cells(trial, metrics, settings),
            )
        )
    return tuple(rows)


def family_rows(summary: Summary) -> tuple[FamilyRow, ...]:
    """Return the families by their best log loss after calibration."""
    members: dict[str, list[TrialRecord]] = {}
    for trial in ranked_trials(summary):
        members.setdefault(trial.family, []).append(trial)
    return tuple(_family_row(summary, name, trials) for name, trials in members.items())


def _family_row(summary: Summary, family: str, trials: list[TrialRecord]) -> FamilyRow:
    """Return the line of one family, its trials given best first."""
    values = [metric_value(trial, summary.metric) for trial in trials]
    finite = [value for value in values if not math.isnan(value)]
    choose = min if summary.lower_is_better else max
    scored = not math.isnan(metric_value(trials[0], REFINED_LOG_LOSS))
    return FamilyRow(
        family=family,
        trials=len(trials),
        complete=sum(trial.state in ("complete", "stopped") for trial in trials),
        metric=value_text(summary.metric, choose(finite) if finite else None),
        log_loss=value_text(REFINED_LOG_LOSS, metric_value(trials[0], REFINED_LOG_LOSS)),
        best=trials[0].label if scored else MISSING,
        best_number=trials[0].number if scored else None,
    )


def _metrics(summary: Summary) -> tuple[str, ...]:
    """Return the metrics that any trial has, the study's metric first."""
    own = (one.name for one in summary.own_metrics)
    names = dict.fromkeys((summary.metric, *own, *_SHOWN))
    return tuple(name for name in names if any(name in trial.metrics for trial in summary.trials))


def _settings(summary: Summary) -> tuple[str, ...]:
    """Return the nuisance settings of the trials, in the order in which they appear."""
    return tuple(dict.fromkeys(key for trial in summary.trials for key in trial.nuisance))


def _cells(
    trial: TrialRecord, metrics: tuple[str, ...], settings: tuple[str, ...]
) -> tuple[Cell, ...]:
    """Return the number cells of a trial."""
    scores = [(metric_value(trial, name), name) for name in metrics]
    chosen = [trial.nuisance.get(name, math.nan) for name in settings]
    epochs = trial.curve[-1].epoch if trial.curve else None
    return (
        *(Cell(value_text(name, value), _or_none(value)) for value, name in scores),
        *(Cell(figure_text(value), _or_none(value)) for value in chosen),
        Cell(MISSING if epochs is None else str(epochs), epochs),
        Cell(figure_text(trial.seconds), _or_none(trial.seconds)),
    )


def _or_none(value: float) -> float | None:
    """Return the value, or None if it is not finite."""
    return value if math.isfinite(value) else None
