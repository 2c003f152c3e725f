"""The finalists and the rules of selection as rows of tables."""

from __future__ import annotations

import math
from dataclasses import dataclass

from autoloss.records import Finalist, Summary
from autoloss.report.roles import BASELINE, FRONT, find_trial, trial_roles
from autoloss.report.words import (
    MISSING,
    difference_text,
    family_words,
    interval_text,
    is_number,
    label_words,
    listed,
    reading_text,
    spread_text,
    whole_share_text,
)


@dataclass(frozen=True)
class FinalistRow:
    """A finalist as a reader sees it.

    Args:
        number: Number of its trial.
        family: Its family; empty if the summary has no such trial.
        label: The loss in short.
        why: Why it is a finalist.
        roles: ``"ships"``, ``"recommended"``, ``"in the blend"`` and ``"challenger"``.
        metric: Mean and spread of the metric over the training runs.
        log_loss: Mean and spread of the log loss.
        difference: Difference of the metric to tuned cross-entropy.
        interval: Its 95% interval.
        reading: The meaning of the interval.
        admissible: ``"yes"`` within one paired standard error of the best metric.
        chance: Probability that it has the lowest log loss of all.
    """

    number: int
    family: str
    label: str
    why: str
    roles: tuple[str, ...]
    metric: str
    log_loss: str
    difference: str
    interval: str
    reading: str
    admissible: str
    chance: str


@dataclass(frozen=True)
class RuleRow:
    """The choice of another rule: its name, the trial, the loss and its sentence."""

    name: str
    number: int
    label: str
    sentence: str


def ordered_finalists(summary: Summary) -> tuple[Finalist, ...]:
    """Return the finalists in the order of the selection: the admissible, then by log loss."""

    def key(one: Finalist) -> tuple[bool, bool, float, int]:
        known = [value for value in one.log_loss if is_number(value)]
        mean = sum(known) / len(known) if known else math.inf
        return (not takes_part(one), not one.is_admissible, mean, one.number)

    return tuple(sorted(summary.finalists, key=key))


def takes_part(one: Finalist) -> bool:
    """Return whether it can be selected; default cross-entropy serves the gains alone."""
    return tuple(one.reasons) != ("default cross-entropy",)


def trial_label(summary: Summary, number: int) -> str:
    """Return a trial's loss in short, its number if the summary has no such trial."""
    trial = find_trial(summary, number)
    return trial.label if trial else f"trial {number}"


def trial_words(summary: Summary, number: int) -> str:
    """Return a trial's loss in words with its number."""
    trial = find_trial(summary, number)
    return f"{label_words(trial.label)} (trial {number})" if trial else f"trial {number}"


def chance_text(value: float) -> str:
    """Return a probability as a percentage without decimals."""
    return whole_share_text(value) if is_number(value) else MISSING


def finalist_rows(summary: Summary) -> tuple[FinalistRow, ...]:
    """Return the finalists in the order of the selection."""
    return tuple(_row(summary, one) for one in ordered_finalists(summary))


def rule_rows(summary: Summary) -> tuple[RuleRow, ...]:
    """Return the choices of other rules: ``settings["rules"]``, name to (trial, sentence)."""
    rules = summary.settings.get("rules")
    if not isinstance(rules, dict):
        return ()
    rows = []
    for name, found in rules.items():
        if not (isinstance(found, list | tuple) and len(found) == 2 and isinstance(found[0], int)):
            continue
        number, sentence = found
        rows.append(RuleRow(str(name), number, trial_label(summary, number), str(sentence)))
    return tuple(rows)


def _reason(reason: str) -> str:
    """Return the reason for a finalist, with the name of its family in words."""
    start, best, family = reason.partition("best of ")
    return f"{start}{best}{family_words(family)}" if best and " " not in family else reason


def _row(summary: Summary, one: Finalist) -> FinalistRow:
    """Return the table row of a finalist."""
    trial = find_trial(summary, one.number)
    metric, is_baseline = summary.metric, one.number == summary.verdict.baseline
    # Tuned cross-entropy has no difference to itself.
    difference, low, high = (math.nan,) * 3 if is_baseline else (one.difference, one.low, one.high)
    known = is_number(low) and is_number(high)
    roles = trial_roles(summary).get(one.number, ())
    return FinalistRow(
        number=one.number,
        family=trial.family if trial else "",
        label=trial_label(summary, one.number),
        why=listed([_reason(reason) for reason in one.reasons]) if one.reasons else MISSING,
        roles=tuple(role for role in roles if role not in (BASELINE, FRONT)),
        metric=spread_text(metric, one.metric),
        log_loss=spread_text("log_loss", one.log_loss),
        difference=difference_text(metric, difference),
        interval=interval_text(metric, low, high) if known else MISSING,
        reading=reading_text(low, high, lower_is_better=summary.lower_is_better),
        admissible="yes" if one.is_admissible else "no" if takes_part(one) else MISSING,
        chance=chance_text(one.chance_best),
    )
