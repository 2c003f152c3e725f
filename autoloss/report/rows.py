"""On which rows the study compared and decided, as a reader says it."""

from __future__ import annotations

from autoloss.records import DataSummary, Summary
from autoloss.report.words import count_text

_KINDS = {
    "holdout": "one holdout",
    "repeated_holdout": "{} holdouts",
    "cross_validation": "{}-fold cross-validation",
    "forward": "{} divisions in the order of time",
}


def all_rows(data: DataSummary) -> int:
    """Return the rows of the data, those of all divisions and the locked ones together.

    A division in the order of time leaves the later rows out, and a loop of the user's own tells
    no classes of rows that it validates on.
    """
    first = data.n_train + data.n_valid + data.n_test
    return max(first, sum(data.class_counts))


def is_nested(summary: Summary) -> bool:
    """Return whether a nested cross-validation stands in the place of locked test rows."""
    return summary.resampling is not None and summary.resampling.verdict == "nested"


def rows_name(summary: Summary) -> str:
    """Return what the rows of the verdict are called."""
    return "rows of the nested cross-validation" if is_nested(summary) else "test rows"


def unseen_text(summary: Summary) -> str:
    """Return on which rows challenger and baseline are compared, in a sentence or two."""
    if is_nested(summary):
        return (
            "On rows of the nested cross-validation, each of them predicted by models that were "
            "chosen and trained without it."
        )
    return (
        "On rows that the search never saw. The verdict allows for the number of tests made, "
        "the intervals do not."
    )


def resampling_text(summary: Summary) -> str:
    """Return how the rows were used; empty where another loop used them."""
    return summary.resampling.text if summary.resampling is not None else ""


def resampling_short(summary: Summary) -> str:
    """Return how the rows were used in one line; empty where another loop used them."""
    found = summary.resampling
    if found is None:
        return ""
    parts = [_KINDS.get(found.kind, found.kind).format(found.folds)]
    if found.replicates > 1:
        parts.append(f"{found.replicates} trainings a finalist")
    parts.append(
        f"nested ({found.outer} outer folds)"
        if is_nested(summary)
        else f"{summary.verdict.n_test:,} locked rows"
    )
    return ", ".join(parts)


def parts_text(summary: Summary) -> str:
    """Return the rows of each part in one line."""
    data, found = summary.data, summary.resampling
    test = "none locked" if is_nested(summary) else f"{data.n_test:,} test"
    if found is None or found.folds < 2:
        return f"{data.n_train:,} train · {data.n_valid:,} validation · {test}"
    return f"{all_rows(data) - data.n_test:,} in {found.folds} divisions · {test}"


def looks_text(summary: Summary) -> str:
    """Return how many studies had looked at the rows before; empty where nobody counted."""
    if summary.looks > 0:
        studies = count_text(summary.looks, "other study", "other studies")
        return (
            f"{studies} had looked at the same {rows_name(summary)} before: with every look a "
            "chance finding becomes likelier."
        )
    if summary.resampling is None or is_nested(summary):
        return ""
    return "No other study had looked at these test rows before."
