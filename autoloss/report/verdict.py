"""The verdict in plain words: the finding, the shipped loss, the training behind it."""

from __future__ import annotations

from autoloss.records import Summary
from autoloss.report.comparison import verdict_rows
from autoloss.report.policies import blend_text
from autoloss.report.roles import find_trial
from autoloss.report.rows import is_nested
from autoloss.report.shipped import choice_text, verdict_now
from autoloss.report.words import (
    READOUTS,
    capital,
    count_text,
    label_words,
)

BADGES = {
    "better": "Better",
    "no_evidence": "No evidence",
    "worse": "Worse",
    "undecided": "Undecided",
}
LIKELY = 0.2
"""Chance of being the best other loss, below which the challenger is not called that."""
_LONG = 90


def headline(summary: Summary) -> str:
    """Return the verdict as the title of a page."""
    challenger = find_trial(summary, summary.verdict.challenger)
    name = label_words(challenger.label) if challenger else "the challenger"
    verdict = summary.verdict
    if verdict.decision == "undecided":
        # The sentence below the title has the figures of a long reason.
        is_long = len(verdict.reason) > _LONG
        return f"Undecided: {verdict.reason.partition(': ')[0] if is_long else verdict.reason}"
    if verdict.decision == "better":
        winner = "Choosing the loss by search" if is_nested(summary) else capital(name)
        return f"{winner} beats tuned cross-entropy on this data"
    if verdict.decision == "worse":
        if is_nested(summary):
            return "Tuned cross-entropy beats the search for another loss here"
        # Below that chance another finalist may as well be the best.
        is_best = not verdict.chance < LIKELY
        return f"Tuned cross-entropy beats {'the best other loss here, ' if is_best else ''}{name}"
    if verdict.challenger == verdict.baseline:
        return "No other loss was compared with tuned cross-entropy"
    return "No evidence that another loss beats tuned cross-entropy here"


def ships_text(summary: Summary) -> str:
    """Return sentences on the shipped model: its loss, and its last training run."""
    return " ".join(filter(None, (_ships(summary), refit_text(summary))))


def _ships(summary: Summary) -> str:
    """Return sentences on the shipped loss, or on the blend."""
    if blend := blend_text(summary):
        return f"{blend} Recommended loss: {_named(summary)}."
    trial = find_trial(summary, summary.recommended)
    if trial is None:
        return f"Shipped model: trial {summary.recommended}."
    number = summary.recommended
    readout = READOUTS.get(trial.readout, trial.readout)
    loss = label_words(trial.label)
    if number == summary.verdict.baseline:
        loss = loss.replace("cross-entropy", "tuned cross-entropy", 1)
    # The label follows if it says more than the words.
    label = "" if trial.label == trial.family else f": {trial.label}"
    ships = f"Shipped model: {loss} (trial {number}{label}; probabilities: {readout})."
    return " ".join(filter(None, (ships, choice_text(summary))))


def refit_text(summary: Summary) -> str:
    """Return a sentence on the last training run on all rows, or an empty string."""
    found = summary.refit
    if found is None:
        return ""
    rows = count_text(found.n_rows, "row")
    if not found.is_done:
        return f"It was not trained again on all {rows}: {found.reason}."
    whole = found.trained == found.members
    part = "It was" if whole else f"{found.trained} of its {found.members} members were"
    end = "at the end" if whole else f"at the end ({found.reason})"
    return (
        f"{part} trained again on all {rows} {end}. The figures are from the training runs "
        "before, on rows that they did not see."
    )


def _named(summary: Summary) -> str:
    """Return the recommended trial by its loss and number."""
    trial = find_trial(summary, summary.recommended)
    number = f"trial {summary.recommended}"
    return number if trial is None else f"{label_words(trial.label)} ({number})"


def challenger_text(summary: Summary) -> str:
    """Return a line on the challenger, or an empty string if it ships or there is none."""
    verdict = summary.verdict
    trial = find_trial(summary, verdict.challenger)
    if trial is None or verdict.challenger in (verdict.baseline, summary.recommended):
        return ""
    label = "" if trial.label == trial.family else f": {trial.label}"
    return f"Challenger: {label_words(trial.label)} (trial {trial.number}{label})."


def coverage_text(summary: Summary) -> str:
    """Return sentences on an incompletely trained plan, or an empty string if it is complete."""
    found = summary.coverage
    if found is None:
        return ""
    sentences = []
    if found.cut or found.trials < found.planned_trials:
        cut = f"; the time limit cut off {found.cut}" if found.cut else ""
        ended = count_text(found.trials, "trial")
        sentences.append(f"{ended} of {found.planned_trials:,} finished{cut}.")
    if found.epochs < found.planned_epochs:
        sentences.append(f"They were trained for {found.epochs} of {found.planned_epochs} epochs.")
    if found.is_final_cut:
        sentences.append("The time limit cut off the final training runs.")
    return " ".join(sentences)


def verdict_lines(summary: Summary) -> list[str]:
    """Return the last screen of a search as plain lines.

    Args:
        summary: The finished study.

    Returns:
        The verdict, the shipped model, then the aligned table of `verdict_rows`.
    """
    lines = [f"{BADGES[summary.verdict.decision]}: {_one_line(verdict_now(summary))}"]
    lines.append(_one_line(ships_text(summary)))
    table = verdict_rows(summary)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        name, *cells = row
        padded = [cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True)]
        lines.append("  ".join([name.ljust(widths[0]), *padded]).rstrip())
    return lines


def _one_line(text: str) -> str:
    """Return the text on one line."""
    return " ".join(text.split())
