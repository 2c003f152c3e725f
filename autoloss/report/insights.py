"""Words and tables for decisions, thresholds and gradient signals."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass

from autoloss.core.task import REJECT
from autoloss.records import Summary
from autoloss.records.insights import Disagreements, SignalCurve
from autoloss.report.finalists import trial_label
from autoloss.report.roles import find_trial, positive_quoted, trial_roles
from autoloss.report.rows import are_tokens, rows_name
from autoloss.report.shipped import judged_start
from autoloss.report.words import (
    MISSING,
    capital,
    count_text,
    is_number,
    metric_in_sentence,
    share_text,
    value_text,
)

# The most classes of a readable matrix; summary.json has matrices of up to 40.
_CLASSES = 12
# The most classes whose names stand over the columns.
_NAMED = 4
SIGNAL_AT = (0.1, 0.5, 0.9, 0.99)
_DECIDED = {
    "error": "The decision is the likeliest class of each row.",
    "balanced_error": "Decisions minimise the expected balanced error.",
    "expected_cost": "Decisions minimise the expected cost.",
}
PRIVACY = (
    "The list has row numbers, classes and probabilities, but no value of any column. Anyone who "
    "has the table can look the rows up: leave the list out if the classes are private."
)
SHOWN = (
    "The list shows a part of these rows; a search with --no-examples leaves it out. Anyone who "
    "has the data can look the rows up by their numbers."
)


@dataclass(frozen=True)
class MatrixCell:
    """A cell: its rows, their share of the true class, whether it is on the diagonal."""

    text: str
    share: float
    is_right: bool


@dataclass(frozen=True)
class Matrix:
    """A confusion matrix: the model, and for each true class its cells."""

    title: str
    rows: tuple[tuple[str, tuple[MatrixCell, ...]], ...]


@dataclass(frozen=True)
class PairRow:
    """Two confused classes, and their rows for each model."""

    truth: str
    decided: str
    challenger: str
    baseline: str


@dataclass(frozen=True)
class ConfusionFacts:
    """The confusions: the kind of decision, matrices of few classes, the worst pairs.

    Above `_NAMED` classes a matrix has numbers over its columns, beside the names of its rows.
    """

    text: str
    classes: tuple[str, ...]
    is_numbered: bool
    matrices: tuple[Matrix, ...]
    pairs: tuple[PairRow, ...]
    has_challenger: bool


@dataclass(frozen=True)
class ExampleRow:
    """A row with different decisions of the models, as text."""

    row: str
    truth: str
    challenger: str
    baseline: str
    challenger_prob: str
    baseline_prob: str
    label: str = ""
    words: str = ""
    picture: str = ""


@dataclass(frozen=True)
class DisagreementFacts:
    """The rows on which the models differ: a sentence, examples and a note on privacy."""

    text: str
    where: str
    examples: tuple[ExampleRow, ...]
    privacy: str = PRIVACY
    shown: str = ""


@dataclass(frozen=True)
class SignalRow:
    """The signal of one loss: its trial, its values at `SIGNAL_AT`, its shares of the rows."""

    number: int
    family: str
    label: str
    roles: tuple[str, ...]
    values: tuple[str, ...]
    dead: str
    unsure: str


def confusion_facts(summary: Summary) -> ConfusionFacts | None:
    """Return the confusions, or None if unknown."""
    found, classes = summary.confusion, decision_names(summary)
    if found is None:
        return None
    has_challenger = summary.verdict.challenger != summary.verdict.baseline
    named = [("Challenger", found.challenger), ("Tuned cross-entropy", found.baseline)]
    matrices = tuple(
        _matrix(title, matrix, classes)
        for title, matrix in named[0 if has_challenger else 1 :]
        if matrix is not None and len(matrix) <= min(_CLASSES, len(classes))
    )
    pairs = tuple(
        PairRow(
            _class(classes, one.truth),
            _class(classes, one.decided),
            f"{one.challenger:,}",
            f"{one.baseline:,}",
        )
        for one in found.pairs
    )
    text = _DECIDED.get(found.decision, "")
    if are_tokens(summary):
        text = text.replace("class of each row", "tag of each token")
    numbered = len(classes) > _NAMED and bool(matrices)
    return ConfusionFacts(text, classes, numbered, matrices, pairs, has_challenger)


def decision_names(summary: Summary) -> tuple[str, ...]:
    """Return the decisions: the classes, and reject if the costs allow it."""
    classes = tuple(map(str, summary.data.classes))
    costs = summary.cost_matrix
    return (*classes, REJECT) if costs and len(costs[0]) > len(classes) else classes


def disagreement_facts(summary: Summary) -> DisagreementFacts | None:
    """Return the rows on which challenger and tuned cross-entropy differ; None if unknown."""
    found, classes = summary.disagreements, decision_names(summary)
    if found is None or summary.verdict.challenger == summary.verdict.baseline:
        return None
    examples = tuple(
        ExampleRow(
            f"{one.row:,}",
            _class(classes, one.truth),
            _class(classes, one.challenger),
            _class(classes, one.baseline),
            _probability(one.challenger_prob),
            _probability(one.baseline_prob),
            one.label,
            one.words,
            one.picture,
        )
        for one in found.examples
    )
    words = any(one.words for one in examples)
    shown = "Text" if words else "Image" if any(one.picture for one in examples) else ""
    where = (
        "counted from 0 in the table of test rows"
        if found.table == "test"
        else "counted from 0 in the table"
    )
    name = rows_name(summary)
    name = f"labels of the {name}" if summary.data.labels else name
    noun = "label" if summary.data.labels else "token" if are_tokens(summary) else "row"
    privacy = SHOWN if shown else PRIVACY
    return DisagreementFacts(_differ(found, name, noun), where, examples, privacy, shown)


def threshold_text(summary: Summary) -> str:
    """Return the decision threshold and its effect, or an empty string without a threshold."""
    found = summary.threshold
    if found is None:
        return ""
    title = metric_in_sentence(found.metric)
    worth = (
        f"this gives {title} {value_text(found.metric, found.value)} on the {rows_name(summary)}; "
        f"the likeliest class gives {value_text(found.metric, found.likeliest)}."
    )
    if not is_number(found.threshold):
        lowest = f"expected {title.removeprefix('expected ')}"
        return f"{judged_start(summary)} decides by the lowest {lowest}: {worth}"
    return (
        f"{judged_start(summary)} decides for {positive_quoted(summary)} from a probability of "
        f"{_probability(found.threshold)} instead of 50%: {worth}"
    )


def signal_rows(summary: Summary) -> tuple[SignalRow, ...]:
    """Return the signals of the finalists as a table, in their order."""
    found = summary.signals
    if found is None:
        return ()
    roles = trial_roles(summary)
    rows = []
    for curve in found.curves:
        trial = find_trial(summary, curve.number)
        rows.append(
            SignalRow(
                curve.number,
                "" if trial is None else trial.family,
                trial_label(summary, curve.number),
                tuple(role for role in roles.get(curve.number, ()) if role != "front"),
                tuple(_signal(found.probs, curve, prob) for prob in SIGNAL_AT),
                share_text(curve.dead),
                share_text(curve.unsure),
            )
        )
    return tuple(rows)


def signal_owner(summary: Summary) -> str:
    """Return the loss whose p the histogram of the signals shows."""
    if summary.signals is None:
        return ""
    return trial_label(summary, summary.signals.number)


def signal_at(probs: tuple[float, ...], values: tuple[float, ...], prob: float) -> float:
    """Return a curve's value by linear interpolation; NaN outside its points.

    Examples:
        >>> signal_at((0.0, 1.0), (1.0, 3.0), 0.25)
        1.5
    """
    place = bisect_left(probs, prob)
    if place >= len(probs) or (place == 0 and probs[0] != prob):
        return math.nan
    if probs[place] == prob:
        return values[place]
    share = (prob - probs[place - 1]) / (probs[place] - probs[place - 1])
    return values[place - 1] + share * (values[place] - values[place - 1])


def _signal(probs: tuple[float, ...], curve: SignalCurve, prob: float) -> str:
    value = signal_at(probs, curve.signal, prob)
    if not is_number(value):
        return MISSING
    return f"{value:.2f}".replace("-", "−") if abs(value) < 100 else f"{value:.3g}"


def _matrix(title: str, matrix: tuple[tuple[int, ...], ...], classes: tuple[str, ...]) -> Matrix:
    rows = []
    for place, counts in enumerate(matrix):
        total = max(sum(counts), 1)
        cells = tuple(
            MatrixCell(f"{count:,}", count / total, place == column)
            for column, count in enumerate(counts)
        )
        rows.append((_class(classes, place), cells))
    return Matrix(title, tuple(rows))


def _class(classes: tuple[str, ...], code: int) -> str:
    """Return the label of a code, or the code itself if it has none."""
    return classes[code] if 0 <= code < len(classes) else str(code)


def _probability(value: float) -> str:
    """Return a probability as a percentage, 0% and 100% only if exact."""
    if not is_number(value):
        return MISSING
    if 0.0 < value < 0.0005:
        return "<0.1%"
    return ">99.9%" if 0.9995 <= value < 1.0 else share_text(value)


def _differ(found: Disagreements, rows: str, noun: str) -> str:
    total = found.challenger_right + found.baseline_right + found.both_wrong
    if not total:
        return f"Both decide the same on all {found.rows:,} {rows}."
    parts = [
        f"the challenger alone is right on {found.challenger_right:,}",
        f"tuned cross-entropy alone on {found.baseline_right:,}",
    ]
    if found.both_wrong:
        parts.append(f"both are wrong in different ways on {found.both_wrong:,}")
    head = f"They decide differently on {count_text(total, noun)} of {found.rows:,} {rows}"
    return capital(f"{head}: {', '.join(parts)}.")
