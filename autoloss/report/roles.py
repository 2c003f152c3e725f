"""The roles of trials, their ranking, and their metrics for plots."""

from __future__ import annotations

import math

from autoloss.records import REFINED_LOG_LOSS, Summary, TrialRecord
from autoloss.report.words import capital, is_number, quoted

SHIPS, RECOMMENDED, BLENDED = "ships", "recommended", "in the blend"
BASELINE, CHALLENGER, FRONT = "tuned cross-entropy", "challenger", "front"


def recommended_role(summary: Summary) -> str:
    """Return the role of the trial of the verdict: it ships, or a blend or another trial does."""
    return SHIPS if summary.shipping == (summary.recommended,) else RECOMMENDED


def trial_roles(summary: Summary) -> dict[int, tuple[str, ...]]:
    """Return the roles of each trial that has any, by number."""
    of_recommended = recommended_role(summary)
    players = (
        (SHIPS if len(summary.shipping) == 1 else BLENDED, summary.shipping),
        (RECOMMENDED, (summary.recommended,) if of_recommended == RECOMMENDED else ()),
        (BASELINE, (summary.verdict.baseline,)),
        (CHALLENGER, (summary.verdict.challenger,)),
        (FRONT, summary.pareto),
    )
    roles: dict[int, tuple[str, ...]] = {}
    for role, numbers in players:
        for number in numbers:
            roles[number] = (*roles.get(number, ()), role)
    baseline = summary.verdict.baseline
    if summary.verdict.challenger == baseline:
        # Nothing challenged it: the same trial cannot be compared with itself.
        roles[baseline] = tuple(role for role in roles[baseline] if role != CHALLENGER)
    return roles


def marked_trials(summary: Summary) -> dict[int, str]:
    """Return the labels of the trials that figures mark: recommended, baseline, challenger."""
    return {
        number: " · ".join(shown)
        for number, roles in trial_roles(summary).items()
        if (shown := [role for role in roles if role not in (FRONT, BLENDED)])
    }


def is_accented(mark: str) -> bool:
    """Return whether a mark of `marked_trials` is of a trial that ships or is recommended."""
    return SHIPS in mark or RECOMMENDED in mark


def positive_quoted(summary: Summary) -> str:
    """Return the name of the positive class as it stands within a text."""
    classes = summary.data.classes
    return quoted(classes[1]) if len(classes) > 1 else "the positive class"


def model_title(role: str) -> str:
    """Return the model of a role as a title.

    Examples:
        >>> model_title("cross-entropy"), model_title("challenger before the read-out")
        ('Tuned cross-entropy', 'Challenger before the read-out')
    """
    name = role.replace("cross-entropy", BASELINE, 1) if role.startswith("cross-") else role
    return capital(name)


def find_trial(summary: Summary, number: int) -> TrialRecord | None:
    """Return the trial of that number, or None if the summary has none."""
    return next((trial for trial in summary.trials if trial.number == number), None)


def metric_value(trial: TrialRecord, name: str) -> float:
    """Return a metric of a trial, NaN if it is missing or not finite."""
    value = trial.metrics.get(name)
    return float(value) if value is not None and is_number(value) else math.nan


def ranked_trials(summary: Summary) -> tuple[TrialRecord, ...]:
    """Return the trials by log loss after calibration, lowest first, trials without it last."""

    def key(trial: TrialRecord) -> tuple[bool, float, int]:
        value = metric_value(trial, REFINED_LOG_LOSS)
        return (math.isnan(value), 0.0 if math.isnan(value) else value, trial.number)

    return tuple(sorted(summary.trials, key=key))
