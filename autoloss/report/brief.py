"""The report in a few lines, for a terminal."""

from __future__ import annotations

from autoloss.records import Summary
from autoloss.report.beside import edges_short, reference_facts
from autoloss.report.doubts import chance_short, correction_short, optimism_short
from autoloss.report.gains import gains_short
from autoloss.report.ood import strangers_short
from autoloss.report.power import power_short
from autoloss.report.rows import judge_of, resampling_short
from autoloss.report.rule_costs import rule_short
from autoloss.report.shipped import judged_words
from autoloss.report.verdict import coverage_text
from autoloss.report.words import (
    count_text,
    difference_text,
    interval_text,
    is_number,
    value_text,
)

REFERENCE = "For comparison"


def brief_pairs(summary: Summary) -> tuple[tuple[str, str], ...]:
    """Return the evidence for and against the verdict as name and text, a line or two each.

    Args:
        summary: The finished study.

    Returns:
        Pairs, in reading order; unknown facts are left out.
    """
    pairs = (
        ("Training", coverage_text(summary)),
        ("Rows", resampling_short(summary)),
        ("Looks", _looks(summary)),
        ("Gains", gains_short(summary)),
        ("Challenger", chance_short(summary)),
        ("Selection bias", optimism_short(summary)),
        ("Correction", correction_short(summary)),
        ("Smallest detectable difference", _power(summary)),
        (REFERENCE, _reference(summary)),
        ("OOD rows", strangers_short(summary)),
        ("Decisions", rule_short(summary)),
        ("On an edge", edges_short(summary)),
    )
    return tuple(pair for pair in pairs if pair[1])


def _looks(summary: Summary) -> str:
    """Return the earlier looks, if any."""
    if not summary.looks:
        return ""
    rows = "test rows" if judge_of(summary) == "locked" else "rows"
    return f"{count_text(summary.looks, 'other study', 'other studies')} saw these {rows} before"


def _power(summary: Summary) -> str:
    """Return the smallest detectable difference; it belongs to the resampling."""
    return "" if summary.resampling is None else power_short(summary)


def _reference(summary: Summary) -> str:
    """Return the reference model, with its conclusion if it is far ahead."""
    found, facts = summary.reference, reference_facts(summary)
    if found is None or facts is None:
        return ""
    name = summary.metric
    text = f"{found.name} {value_text(name, found.metric)}"
    if is_number(found.difference):
        text += f", {difference_text(name, found.difference)} to {judged_words(summary)}"
    if is_number(found.low) and is_number(found.high):
        text += f" ({interval_text(name, found.low, found.high)})"
    return f"{text}. {facts.text}" if facts.is_far_ahead and facts.text else text
