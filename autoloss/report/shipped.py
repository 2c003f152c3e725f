"""The trial that ships, the person who chose it, and the trial of the report's figures."""

from __future__ import annotations

from autoloss.records import PersonalChoice, Summary
from autoloss.report.roles import find_trial
from autoloss.report.words import capital, date_text, label_words

SHIP_BEST = "--ship best"
"""Stands for the person where the search itself shipped another finalist than the verdict's."""
SHIPPED = "the shipped model"
"""The shipped model in a sentence, also in stored sentences on gradient boosting."""
_RECOMMENDED = "Tuned cross-entropy is recommended."
_AS_BEST = " is recommended as the best model by held-out log loss"


def last_choice(summary: Summary) -> PersonalChoice | None:
    """Return the decision of a person by which a trial ships, or None if nobody decided."""
    return summary.choices[-1] if summary.choices else None


def is_promoted(summary: Summary) -> bool:
    """Return whether a person has shipped another trial since the search ended."""
    return any(one.by != SHIP_BEST for one in summary.choices)


def judged(summary: Summary) -> int:
    """Return the trial that shipped by the verdict, which the figures on its rows describe."""
    return summary.choices[0].before if summary.choices else summary.recommended


def judged_words(summary: Summary) -> str:
    """Return the name of that trial in a sentence; ``the shipped model`` if it ships."""
    number = judged(summary)
    return SHIPPED if number == summary.recommended else _named(summary, number)


def judged_start(summary: Summary) -> str:
    """Return `judged_words` at the start of a sentence."""
    return capital(judged_words(summary))


def verdict_now(summary: Summary) -> str:
    """Return the verdict's text, in the past tense if another trial ships now."""
    text = summary.verdict.text
    if judged(summary) == summary.recommended:
        return text
    text = text.replace(_RECOMMENDED, "The verdict recommends tuned cross-entropy.")
    return text.replace(_AS_BEST, " was the best model by held-out log loss")


def choice_text(summary: Summary) -> str:
    """Return a sentence on a person's choice of the trial, or an empty string without a choice."""
    choice = last_choice(summary)
    if choice is None:
        return ""
    text = (
        f"Chosen by {choice.by} on {date_text(choice.created)} in place of "
        f"{_named(summary, choice.before)}. Reason: {choice.reason.rstrip('.')}."
    )
    verdict = summary.verdict
    if summary.recommended in (verdict.baseline, verdict.challenger):
        return text
    compared = any(one.numbers == (summary.recommended,) for one in summary.policies)
    figures = "the figures" if compared else "it has no figures on those rows, and those"
    return (
        f"{text} It was not compared in the verdict: {figures} of decisions and calibration below "
        f"are of {_named(summary, judged(summary))}."
    )


def _named(summary: Summary, number: int) -> str:
    """Return a trial by its number and its loss."""
    trial = find_trial(summary, number)
    return f"trial {number}" if trial is None else f"trial {number} ({label_words(trial.label)})"
