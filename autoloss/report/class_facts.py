"""The models by class, and their metrics at other thresholds and costs."""

from __future__ import annotations

import math
from dataclasses import dataclass

from autoloss.records import Summary
from autoloss.records.insights import ClassScores, RankingCurves
from autoloss.report.roles import positive_quoted
from autoloss.report.shipped import judged, judged_words
from autoloss.report.words import MISSING, share_text, value_text

# Of more classes the report shows the classes of lowest recall; summary.json has all.
_CLASSES = 40
_RECALLS = (0.5, 0.8, 0.9, 0.95, 0.99)


@dataclass(frozen=True)
class ClassScoreRow:
    """A class: its rows, recall and precision of both models, and the mean cost of its rows."""

    label: str
    rows: str
    challenger: tuple[str, str]
    baseline: tuple[str, str]
    costs: tuple[str, str]


@dataclass(frozen=True)
class ClassScoreFacts:
    """Recall and precision by class.

    Args:
        text: Which classes are shown.
        rows: The classes.
        has_challenger: Whether another loss challenged tuned cross-entropy.
        has_costs: Whether the rows have costs.
    """

    text: str
    rows: tuple[ClassScoreRow, ...]
    has_challenger: bool
    has_costs: bool


@dataclass(frozen=True)
class CurveTable:
    """A curve as a table: its title, its column titles and its rows."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def class_score_facts(summary: Summary) -> ClassScoreFacts | None:
    """Return recall and precision by class, or None if an older study has none."""
    found = summary.class_scores
    if found is None or not found.rows:
        return None
    ships_challenger = judged(summary) == summary.verdict.challenger
    right = found.challenger_right if ships_challenger else found.baseline_right
    order = sorted(
        range(len(found.rows)), key=lambda code: (_ratio(right[code], found.rows[code], 1.0), code)
    )
    shown = sorted(order[:_CLASSES])
    text = (
        "Recall: the share of the class that is found. Precision: the share of the decisions for "
        "the class that are right."
    )
    if len(shown) < len(found.rows):
        text += (
            f" The {len(shown)} of {len(found.rows):,} classes that {judged_words(summary)} finds "
            "least often."
        )
    return ClassScoreFacts(
        text=text,
        rows=tuple(_row(summary, found, code) for code in shown),
        has_challenger=summary.verdict.challenger != summary.verdict.baseline,
        has_costs=any(_mean_costs(summary, code) != (MISSING, MISSING) for code in shown),
    )


def ranking_table(summary: Summary) -> CurveTable | None:
    """Return the precision and the false positives at some recalls, None for other than two."""
    found = summary.ranking
    if found is None:
        return None
    name = positive_quoted(summary)
    models = {"Tuned cross-entropy": found.baseline}
    if summary.verdict.challenger != summary.verdict.baseline:
        models = {"Challenger": found.challenger, **models}
    columns = [f"Share of {name} found"]
    for title in models:
        columns += [f"{title}: precision", f"{title}: share of other rows taken for {name}"]
    rows = []
    for recall in _RECALLS:
        cells = [text for one in models.values() for text in _at_recall(one, recall)]
        rows.append((share_text(recall), *cells))
    return CurveTable("Ranking of the rows", tuple(columns), tuple(rows))


def ranking_text(summary: Summary) -> str:
    """Return the areas under both curves in a sentence, or an empty string if there are none."""
    found = summary.ranking
    if found is None:
        return ""
    own, other = found.challenger, found.baseline
    rows = f"{found.positives:,} rows of {positive_quoted(summary)}, {found.negatives:,} others"
    if summary.verdict.challenger == summary.verdict.baseline:
        auroc, precision = (
            value_text("auroc", other.auroc),
            value_text("average_precision", other.average_precision),
        )
        return f"{rows}. AUROC {auroc}, average precision {precision}."
    auroc = f"{value_text('auroc', own.auroc)} against {value_text('auroc', other.auroc)}"
    precision = (
        f"{value_text('average_precision', own.average_precision)} against "
        f"{value_text('average_precision', other.average_precision)}"
    )
    return (
        f"{rows}. The challenger against tuned cross-entropy: AUROC {auroc}, average precision "
        f"{precision}."
    )


def cost_curve_table(summary: Summary) -> CurveTable | None:
    """Return the cost curve at every tenth, or None if there is none."""
    found = summary.cost_curve
    if found is None or len(found.at) < 2:
        return None
    name = positive_quoted(summary)
    first = (
        f"Cost of a false {name} as a share of both costs"
        if found.over == "cost_share"
        else "Share of rows decided by a person"
    )
    columns = [first, "Challenger", "Tuned cross-entropy"]
    if found.single:
        columns.append("One class for all rows")
    rows = []
    for tenth in range(11):
        place = min(range(len(found.at)), key=lambda n: abs(found.at[n] - tenth / 10))
        curves = [one for one in (found.challenger, found.baseline, found.single) if one]
        values = (value_text("expected_cost", one[place]) for one in curves)
        rows.append((share_text(found.at[place]), *values))
    by_share = found.over == "cost_share"
    title = "Expected cost under other costs" if by_share else "Expected cost after review"
    return CurveTable(title, tuple(columns), tuple(rows))


def _row(summary: Summary, found: ClassScores, code: int) -> ClassScoreRow:
    """Return the table row of a class."""
    classes = summary.data.classes
    pairs = [
        (
            share_text(_ratio(right[code], found.rows[code])),
            share_text(_ratio(right[code], decided[code])),
        )
        for right, decided in (
            (found.challenger_right, found.challenger_decided),
            (found.baseline_right, found.baseline_decided),
        )
    ]
    return ClassScoreRow(
        label=str(classes[code]) if code < len(classes) else str(code),
        rows=f"{found.rows[code]:,}",
        challenger=pairs[0],
        baseline=pairs[1],
        costs=_mean_costs(summary, code),
    )


def _mean_costs(summary: Summary, code: int) -> tuple[str, str]:
    """Return the mean cost of the class's rows under each model, from the confusions."""
    costs, found = summary.cost_matrix, summary.confusion
    if costs is None or found is None or code >= len(costs) or summary.data.cost_column:
        return (MISSING, MISSING)
    first, second = (
        MISSING
        if matrix is None or code >= len(matrix)
        else value_text(
            "expected_cost",
            sum(n * cost for n, cost in zip(matrix[code], costs[code], strict=False))
            / max(sum(matrix[code]), 1),
        )
        for matrix in (found.challenger, found.baseline)
    )
    return (first, second)


def _at_recall(one: RankingCurves, recall: float) -> tuple[str, str]:
    """Return the precision and the share of false positives from a recall on."""
    points = zip(one.recall, one.precision, strict=True)
    precision = max((p for r, p in points if r >= recall - 1e-9), default=math.nan)
    roc = zip(one.true_positive_rate, one.false_positive_rate, strict=True)
    false = min((f for t, f in roc if t >= recall - 1e-9), default=math.nan)
    return share_text(precision), share_text(false)


def _ratio(part: int, whole: int, empty: float = math.nan) -> float:
    return part / whole if whole else empty
