"""The rows of the comparison and of the verdict, in words."""

from __future__ import annotations

from autoloss.core.settings import Judge
from autoloss.records import DataSummary, Summary
from autoloss.report.words import count_text

_KINDS = {
    "holdout": "one holdout",
    "repeated_holdout": "{} holdouts",
    "cross_validation": "{}-fold cross-validation",
    "forward": "{} divisions in the order of time",
}


def all_rows(data: DataSummary) -> int:
    """Return the number of rows, of all divisions and the locked rows together.

    A division in the order of time leaves later rows out, and a custom training loop does not give
    the classes of its validation rows.
    """
    if data.n_rows:
        return data.n_rows
    first = data.n_train + data.n_valid + data.n_test
    return max(first, sum(data.class_counts))


def classes_text(data: DataSummary) -> str:
    """Return the number of labels of a row, of tags of a token, or of classes."""
    if data.task == "sequence":
        return f"{len(data.classes)} tags"
    return f"{len(data.labels)} labels" if data.labels else f"{len(data.classes)} classes"


ROWS = {
    "locked": "test rows",
    "out_of_fold": "held-out rows",
    "nested": "rows of the nested cross-validation",
}


def judge_of(summary: Summary) -> Judge:
    """Return the rows of the verdict: locked, out of fold or nested."""
    return "locked" if summary.resampling is None else summary.resampling.verdict


def is_nested(summary: Summary) -> bool:
    """Return whether a nested cross-validation replaces locked test rows."""
    return judge_of(summary) == "nested"


def rows_name(summary: Summary) -> str:
    """Return the name of the rows of the verdict, for sequences of their tokens."""
    name = ROWS[judge_of(summary)]
    return name.replace("rows", "tokens") if are_tokens(summary) else name


def are_tokens(summary: Summary) -> bool:
    """Return whether figures count tokens of sequences."""
    return summary.data.task == "sequence"


def unseen_text(summary: Summary) -> str:
    """Return sentences on the rows that compare challenger and baseline."""
    if is_nested(summary):
        return (
            "On the rows of the nested cross-validation. The models that predict a row were "
            "chosen and trained without it."
        )
    if judge_of(summary) == "out_of_fold":
        return (
            "On rows that the training runs held out. Figures and intervals are corrected for the "
            "selection on these rows; the verdict corrects for the number of tests, the intervals "
            "do not."
        )
    return (
        "On rows that the search never saw. The verdict corrects for the number of tests; the "
        "intervals do not."
    )


def steps_text(summary: Summary) -> str:
    """Return sentences on the rows of the steps of the gain."""
    text = f"On the {rows_name(summary)}; each change is from the step before it."
    if judge_of(summary) != "out_of_fold":
        return text
    return f"{text} The step to another loss is corrected for the selection, tuning is not."


def all_metrics_title(summary: Summary) -> str:
    """Return the title of the table of all metrics.

    The verdict compares losses, the table models with the temperature that each would ship with.
    """
    note = ", not corrected for the selection" if summary.pair_optimism else ""
    if any(one.temperature != 1.0 for one in summary.policies):
        note += ", after the temperature of the mean"
    return f"All metrics on the {rows_name(summary)}{note}"


def resampling_text(summary: Summary) -> str:
    """Return the use of the rows, or an empty string for a custom training loop."""
    return summary.resampling.text if summary.resampling is not None else ""


def resampling_short(summary: Summary) -> str:
    """Return a line on the use of the rows, or an empty string for a custom training loop."""
    found = summary.resampling
    if found is None:
        return ""
    parts = [_KINDS.get(found.kind, found.kind).format(found.folds)]
    if found.replicates > 1:
        parts.append(f"{found.replicates} training runs per finalist")
    rows = f"{summary.verdict.n_test:,}"
    judged = {
        "nested": f"nested ({found.outer} outer folds)",
        "out_of_fold": f"{rows} held-out rows",
        "locked": f"{rows} locked rows",
    }
    return ", ".join([*parts, judged[found.verdict]])


def parts_text(summary: Summary) -> str:
    """Return a line with the number of rows in each part."""
    data, found = summary.data, summary.resampling
    test = f"{data.n_test:,} test" if judge_of(summary) == "locked" else "none locked"
    if found is None or found.folds < 2:
        return f"{data.n_train:,} train · {data.n_valid:,} validation · {test}"
    return f"{all_rows(data) - data.n_test:,} in {found.folds} divisions · {test}"


def looks_text(summary: Summary) -> str:
    """Return a sentence on earlier looks at the rows, or an empty string if unknown."""
    if summary.looks > 0:
        studies = count_text(summary.looks, "other study", "other studies")
        return (
            f"{studies} had looked at the same {rows_name(summary)} before: every look makes a "
            "chance finding more likely."
        )
    if summary.resampling is None or judge_of(summary) != "locked":
        return ""
    return "No other study had looked at these test rows before."
