"""The facts beside the verdict: reference model, edges of ranges, costs, rare positives."""

from __future__ import annotations

import math
from dataclasses import dataclass

from autoloss.records import Edge, Summary
from autoloss.report.insights import decision_names
from autoloss.report.shipped import SHIPPED, judged_words
from autoloss.report.words import (
    count_text,
    difference_text,
    family_words,
    in_sentence,
    interval_text,
    is_number,
    metric_words,
    setting_text,
    setting_words,
    share_text,
    value_text,
)

# The words of earlier versions for the shipped model in the stored sentence.
_SHIPPED_EARLIER = "what ships"
# A matrix of more classes is in summary.json alone.
_CLASSES = 40


@dataclass(frozen=True)
class ReferenceFacts:
    """The model of another kind.

    Args:
        figures: Its metrics and its difference to the shipped model, in one sentence.
        text: The conclusion.
        is_far_ahead: Whether the model is the problem, not the loss.
    """

    figures: str
    text: str
    is_far_ahead: bool


@dataclass(frozen=True)
class CostTable:
    """The cost matrix: the classes, and for each the costs of deciding for each."""

    classes: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class TopRow:
    """The most probable rows: their share, their number, their positives."""

    share: str
    count: str
    expected: str
    observed: str
    recall: str


@dataclass(frozen=True)
class TailFacts:
    """Calibration of rare positives: their share, the most probable rows, the bins."""

    text: str
    top: tuple[TopRow, ...]
    bins: tuple[tuple[str, str, str, str], ...]


def reference_facts(summary: Summary) -> ReferenceFacts | None:
    """Return the reference model in words, or None if it has no figures."""
    found = summary.reference
    if found is None or not (found.text or is_number(found.metric)):
        return None
    name, words = summary.metric, metric_words(summary.metric)
    figures = f"{words.title} {value_text(name, found.metric)}"
    if name != "log_loss":
        figures += f", log loss {value_text('log_loss', found.log_loss)}"
    if is_number(found.difference):
        title = in_sentence(words.title)
        figures += f"; its {title} minus that of {judged_words(summary)}: "
        figures += difference_text(name, found.difference)
        if is_number(found.low) and is_number(found.high):
            figures += f" (95% interval {interval_text(name, found.low, found.high)})"
    return ReferenceFacts(
        figures=f"{figures}.",
        text=found.text.replace(_SHIPPED_EARLIER, SHIPPED).replace(SHIPPED, judged_words(summary)),
        is_far_ahead=found.is_far_ahead,
    )


def edge_texts(summary: Summary) -> tuple[str, ...]:
    """Return a sentence for each setting whose best value lies on the edge of its range."""
    return tuple(_edge(one) for one in summary.edges)


def edges_short(summary: Summary) -> str:
    """Return the settings on an edge in one line, or an empty string if there are none."""
    names = dict.fromkeys(
        one.key
        if one.key.startswith(f"{one.family}.")
        else f"{setting_words(one.key)} of {family_words(one.family)}"
        for one in summary.edges
    )
    shown, rest = list(names)[:2], len(names) - 2
    more = f" and {count_text(rest, 'other')}" if rest > 0 else ""
    return ", ".join(shown) + more


def cost_table(summary: Summary) -> CostTable | None:
    """Return the cost matrix with its classes, or None if it is missing or very large."""
    matrix, classes = summary.cost_matrix, summary.data.classes
    if matrix is None or len(matrix) > _CLASSES:
        return None
    pairs = zip(classes, matrix, strict=False)
    return CostTable(
        classes=decision_names(summary),
        rows=tuple((str(label), tuple(map(setting_text, costs))) for label, costs in pairs),
    )


def tail_facts(summary: Summary) -> TailFacts | None:
    """Return the calibration of rare positives in words, or None if unknown."""
    found = summary.tails
    if found is None:
        return None
    top = tuple(
        TopRow(
            share=f"{100 * one.share:g}%",
            count=f"{one.count:,}",
            expected=f"{one.expected:,.1f}" if is_number(one.expected) else "–",
            observed=f"{one.observed:,}",
            recall=share_text(one.recall),
        )
        for one in found.top
    )
    d = found.bins
    columns = zip(d.confidence, d.accuracy, d.low, d.high, d.count, strict=False)
    bins = tuple(
        (
            fine_share(said),
            fine_share(was),
            f"{fine_share(low)} to {fine_share(high)}",
            f"{rows:,}",
        )
        for said, was, low, high, rows in columns
        if rows > 0
    )
    if not (top or bins or is_number(found.prevalence)):
        return None
    return TailFacts(f"Positives are {fine_share(found.prevalence)} of the rows.", top, bins)


def fine_share(value: float) -> str:
    """Return a share as a percentage of two significant digits, for rare things.

    Examples:
        >>> fine_share(0.00034), fine_share(0.25), fine_share(0.0)
        ('0.034%', '25%', '0%')
    """
    if not math.isfinite(value):
        return "–"
    percent = 100 * value
    digits = 1 - math.floor(math.log10(abs(percent))) if percent else 0
    return f"{percent:.{max(0, min(digits, 8))}f}%"


def _edge(one: Edge) -> str:
    """Return one setting on an edge."""
    side = {"low": "lower", "high": "upper"}[one.side]
    end = (
        "although the study widened the range."
        if one.is_widened
        else "and the search tried no value beyond it."
    )
    best = f"the best {setting_words(one.key)}, {setting_text(one.value)},"
    return (
        f"{family_words(one.family)}: {best} lies at the "
        f"{side} end of {setting_text(one.low)} to {setting_text(one.high)}, {end}"
    )
