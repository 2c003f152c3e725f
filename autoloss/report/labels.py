"""Words and tables for several labels a row: each label, and pairs of labels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from autoloss.records import Summary
from autoloss.records.labels import LabelFigures, LabelInsights, LabelPair
from autoloss.report.rows import rows_name
from autoloss.report.shipped import judged_words
from autoloss.report.words import (
    MISSING,
    count_text,
    difference_text,
    interval_text,
    reading_text,
    setting_text,
    share_text,
)

# Of more labels the table shows the labels whose differences are the largest against chance;
# summary.json has all.
_LABELS = 60
_COLLAPSED = 0.25
_CLEAR = 0.05


@dataclass(frozen=True)
class LabelRow:
    """A label as a reader sees it.

    Args:
        cells: Rows, positives, decided, error, average precision, calibration, threshold, F1 at it
            and at a half; then the weight and the costs, where they were given.
        difference: The difference in log loss.
        interval: Its 95% interval.
        reading: ``"better"``, ``"worse"``, ``"no clear difference"`` or ``"unknown"``, corrected
            over the labels.
    """

    label: str
    cells: tuple[str, ...]
    difference: str
    interval: str
    reading: str


@dataclass(frozen=True)
class PairOfLabels:
    """Two labels as a reader sees them."""

    labels: str
    rows: str
    correlation: str
    missed: str
    swapped: str


@dataclass(frozen=True)
class LabelFacts:
    """Several labels a row.

    Args:
        text: Sentences on all labels together.
        rule: The decision of the shipped model, a sentence.
        warning: A sentence on a model that decides for too few labels; empty for none.
        shown: Which labels are shown, if not all.
        columns: The titles of the cells.
        rows: The labels.
        missed: Pairs whose correlation the model misses.
        swapped: Pairs that it confuses.
        has_challenger: Whether another loss challenged tuned cross-entropy.
    """

    text: str
    rule: str
    warning: str
    shown: str
    columns: tuple[str, ...]
    rows: tuple[LabelRow, ...]
    missed: tuple[PairOfLabels, ...]
    swapped: tuple[PairOfLabels, ...]
    has_challenger: bool


_WEIGHT, _COSTS = ("Weight of yes",), ("Cost of a miss", "Cost of a false alarm")
COLUMNS = (
    "Rows",
    "With it",
    "Decided for",
    "Error",
    "Average precision",
    "Calibration error",
    "Threshold for F1",
    "F1 there",
    "F1 at 50%",
)


def label_facts(summary: Summary) -> LabelFacts | None:
    """Return the labels, or None for one label a row."""
    found = summary.labels
    if found is None:
        return None
    has_challenger = summary.verdict.challenger != summary.verdict.baseline
    order, given = _order(found), _Given.of(summary)
    kept = sorted(order[:_LABELS])
    shown = ""
    if len(kept) < len(found.labels):
        which = "differ most" if has_challenger else "are rarest"
        shown = (
            f"The {len(kept)} of {len(found.labels):,} labels that {which}; summary.json has all."
        )
    return LabelFacts(
        text=_text(summary, found, has_challenger=has_challenger),
        rule=_rule(found),
        warning=collapse_text(summary),
        shown=shown,
        columns=(*COLUMNS, *given.columns),
        rows=tuple(_row(found.labels[place], given) for place in kept),
        missed=tuple(_pair(one) for one in found.missed),
        swapped=tuple(_pair(one) for one in found.swapped),
        has_challenger=has_challenger,
    )


def collapse_text(summary: Summary) -> str:
    """Return a sentence on models that decide for far fewer labels than there are, else empty."""
    found = summary.labels
    if found is None:
        return ""
    models = {"Tuned cross-entropy": found.baseline_decided}
    if summary.verdict.challenger != summary.verdict.baseline:
        models = {"The challenger": found.decided, **models}
    said = [
        f"{name} decides for {count_text(decided, 'label')} where {found.positives:,} are there"
        for name, decided in models.items()
        if decided < _COLLAPSED * found.positives
    ]
    if not said:
        return ""
    return (
        f"{'; '.join(said)}: at 50% it leaves almost all labels out. The ranking may still be "
        "good: look at the average precision, and decide at the thresholds for F1."
    )


def reading(one: LabelFigures) -> str:
    """Return the meaning of a label's difference, corrected over the labels."""
    if not math.isfinite(one.p_value):
        return "unknown"
    if one.p_value >= _CLEAR:
        return "no clear difference"
    found = reading_text(one.low, one.high, lower_is_better=True)
    return found if found in ("better", "worse") else "no clear difference"


def _rule(found: LabelInsights) -> str:
    """Return the decision of the shipped model."""
    if found.labels_each:
        return f"The model gives each row its {count_text(found.labels_each, 'likeliest label')}."
    if not found.thresholds:
        return "The model decides for a label from a probability of 50% on."
    low, high = share_text(min(found.thresholds)), share_text(max(found.thresholds))
    if low == high:
        return f"The model decides for a label from a probability of {low} on."
    return (
        "The model decides for a label above its own threshold, from"
        f" {low} to {high}: they are in its folder and in summary.json."
    )


def _order(found: LabelInsights) -> list[int]:
    """Return the places of the labels, the clearest difference first, then the rarest label."""

    def key(place: int) -> tuple[float, int, int]:
        one = found.labels[place]
        width = one.high - one.low
        size = abs(one.difference) / width if width > 0 else 0.0
        return -(size if math.isfinite(size) else 0.0), one.positives, place

    return sorted(range(len(found.labels)), key=key)


def _text(summary: Summary, found: LabelInsights, *, has_challenger: bool) -> str:
    """Return sentences on all labels together."""
    total = len(found.labels)
    text = f"{total:,} labels on the {rows_name(summary)}, {found.positives:,} times there."
    decided = f"tuned cross-entropy decides for {found.baseline_decided:,}"
    if has_challenger:
        decided = (
            f"the challenger decides for {found.decided:,}, tuned cross-entropy for"
            f" {found.baseline_decided:,}"
        )
        readings = [reading(one) for one in found.labels]
        better, worse = readings.count("better"), readings.count("worse")
        compared = (
            f" In log loss the challenger is better on {better:,} and worse on {worse:,} of"
            f" {total:,} labels, corrected for their number by Holm's rule."
        )
    else:
        compared = ""
    constant = sum(not 0 < one.positives < one.rows for one in found.labels)
    left_out = (
        f" {count_text(constant, 'label')} that all of these rows have, or none, is in no mean."
        if constant == 1
        else f" {count_text(constant, 'label')} that all of these rows have, or none, are in no"
        " mean."
        if constant
        else ""
    )
    return (
        f"{text} At 50%, {decided}.{compared}{left_out} Errors, average precision, calibration"
        f" and F1 are those of {judged_words(summary)}; F1 at thresholds is that of thresholds"
        " which other rows decide."
    )


@dataclass(frozen=True)
class _Given:
    """The weights and costs of labels that the user gave, as columns of a table."""

    columns: tuple[str, ...]
    cells: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, summary: Summary) -> _Given:
        labels = summary.data.labels
        has_weights = bool(summary.data.label_weights)
        has_costs = any(one.costs is not None for one in labels)
        cells = {
            one.name: (
                *((setting_text(one.weight),) if has_weights else ()),
                *(map(setting_text, one.costs or (math.nan, math.nan)) if has_costs else ()),
            )
            for one in labels
        }
        return cls((*_WEIGHT * has_weights, *_COSTS * has_costs), cells)


def _row(one: LabelFigures, given: _Given) -> LabelRow:
    calibration = max(one.calibration, 0.0) if math.isfinite(one.calibration) else math.nan
    return LabelRow(
        label=one.name,
        cells=(
            f"{one.rows:,}",
            f"{one.positives:,}",
            f"{one.decided:,}",
            share_text(one.error),
            _three(one.average_precision),
            _three(math.sqrt(calibration) if math.isfinite(calibration) else math.nan),
            share_text(one.threshold),
            _three(one.f1),
            _three(one.f1_at_half),
            *given.cells.get(one.name, ()),
        ),
        difference=difference_text("log_loss", one.difference),
        interval=interval_text("log_loss", one.low, one.high)
        if math.isfinite(one.low)
        else MISSING,
        reading=reading(one),
    )


def _pair(one: LabelPair) -> PairOfLabels:
    return PairOfLabels(
        labels=f"{one.one} and {one.other}",
        rows=f"{one.rows:,}",
        correlation=_signed(one.correlation),
        missed=_signed(one.missed),
        swapped=f"{one.swapped:,}",
    )


def _signed(value: float) -> str:
    return MISSING if not math.isfinite(value) else f"{value:+.2f}".replace("-", "−")


def _three(value: float) -> str:
    return MISSING if not math.isfinite(value) else f"{value:.3f}"
