"""The verdict in plain words: what was found, what ships, and the figures behind it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from autoloss.records import Comparison, Summary
from autoloss.report.bars import comparison_bars
from autoloss.report.roles import find_trial
from autoloss.report.rows import is_nested
from autoloss.report.shipped import choice_text, verdict_now
from autoloss.report.words import (
    READOUTS,
    capital,
    count_text,
    difference_text,
    interval_text,
    label_words,
    metric_words,
    reading_text,
    value_text,
)

BADGES = {
    "better": "Better",
    "no_evidence": "No evidence",
    "worse": "Worse",
    "undecided": "Undecided",
}
_ROWS = 6
LIKELY = 0.2
"""Chance of being the best other loss, below which the challenger is not called that."""


@dataclass(frozen=True)
class ComparisonRow:
    """One line of the comparison as a reader sees it.

    Args:
        title: The metric.
        baseline: Value of tuned cross-entropy.
        challenger: Value of the challenger.
        difference: Challenger minus baseline.
        interval: Its 95% interval.
        reading: ``"better"``, ``"worse"``, ``"no clear difference"`` (it covers
            zero) or ``"unknown"``.
        ends: The interval's two ends and the difference on the scale of `comparison_bars`.
    """

    title: str
    baseline: str
    challenger: str
    difference: str
    interval: str
    reading: str
    ends: tuple[float, float, float] | None


def headline(summary: Summary) -> str:
    """Return the verdict as the title of a page."""
    challenger = find_trial(summary, summary.verdict.challenger)
    name = label_words(challenger.label) if challenger else "the challenger"
    verdict = summary.verdict
    if verdict.decision == "undecided":
        return f"Undecided: {verdict.reason}"
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
    """Return a sentence on the trial that ships."""
    trial = find_trial(summary, summary.recommended)
    if trial is None:
        return f"What ships: trial {summary.recommended}."
    number = summary.recommended
    readout = READOUTS.get(trial.readout, trial.readout)
    loss = label_words(trial.label)
    if number == summary.verdict.baseline:
        loss = loss.replace("cross-entropy", "tuned cross-entropy", 1)
    # The label follows if it says more than the words.
    label = "" if trial.label == trial.family else f": {trial.label}"
    ships = f"What ships: {loss} (trial {number}{label}; probabilities: {readout})."
    return " ".join(filter(None, (ships, choice_text(summary))))


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
        sentences.append("The time limit cut off the final trainings.")
    return " ".join(sentences)


def comparison_rows(summary: Summary) -> tuple[ComparisonRow, ...]:
    """Return the comparison with tuned cross-entropy, at most six rows."""
    shown = summary.verdict.comparisons[:_ROWS]
    bars = comparison_bars(summary).ends
    return tuple(_row(one, ends) for one, ends in zip(shown, bars, strict=True))


def verdict_rows(summary: Summary) -> tuple[tuple[str, ...], ...]:
    """Return the comparison as plain cells: a header, then at most six rows.

    Args:
        summary: The finished study.

    Returns:
        Rows of (metric, cross-entropy, challenger, difference, 95% interval, reading); empty
        where nothing was compared.
    """
    rows = comparison_rows(summary)
    header = ("", "tuned cross-entropy", "challenger", "difference", "95% interval", "reads as")
    cells = tuple(
        (row.title, row.baseline, row.challenger, row.difference, row.interval, row.reading)
        for row in rows
    )
    return (header, *cells) if rows else ()


def verdict_lines(summary: Summary) -> list[str]:
    """Return the last screen of a search as plain lines.

    Args:
        summary: The finished study.

    Returns:
        The verdict, what ships, then the aligned table of `verdict_rows`.
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


def _row(one: Comparison, ends: tuple[float, float, float] | None) -> ComparisonRow:
    """Return one comparison in words."""
    known = all(map(math.isfinite, (one.low, one.high, one.difference)))
    # Without the difference the interval says nothing either.
    low_end, high_end = (one.low, one.high) if known else (math.nan, math.nan)
    reading = reading_text(low_end, high_end, lower_is_better=one.lower_is_better)
    return ComparisonRow(
        title=metric_words(one.metric, lower_is_better=one.lower_is_better).title,
        baseline=value_text(one.metric, one.baseline),
        challenger=value_text(one.metric, one.challenger),
        difference=difference_text(one.metric, one.difference),
        interval=interval_text(one.metric, one.low, one.high),
        reading=reading,
        ends=ends,
    )


def _one_line(text: str) -> str:
    """Return the text on one line."""
    return " ".join(text.split())
