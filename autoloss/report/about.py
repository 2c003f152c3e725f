"""The data and the study as pairs of name and text."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from autoloss.records import DataSummary, Summary
from autoloss.report.finalists import rule_rows
from autoloss.report.rows import (
    all_rows,
    are_tokens,
    classes_text,
    judge_of,
    parts_text,
    rows_name,
)
from autoloss.report.words import capital, count_text, date_text, duration_text, setting_text

_TIMES = {"total": "Time", "training": "Time training", "outside": "Time outside training"}
AGAIN = """\
from pathlib import Path

from autoloss.report import summary_from_json, write_report

text = Path("summary.json").read_text(encoding="utf-8")
write_report(summary_from_json(text), ".")
"""
"""Python code that makes a report again, beside its ``summary.json``."""
Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class ClassShare:
    """A class: its label, its rows in all parts together, and their share."""

    label: str
    count: int
    share: float


def class_rows(summary: Summary) -> tuple[ClassShare, ...]:
    """Return the classes with their rows."""
    total = sum(summary.data.class_counts) or 1
    pairs = zip(summary.data.classes, summary.data.class_counts, strict=False)
    return tuple(ClassShare(str(label), count, count / total) for label, count in pairs)


def key_figures(summary: Summary) -> Pairs:
    """Return the study in a few numbers."""
    data, trials = summary.data, summary.trials
    whole = sum(trial.state in ("complete", "stopped") for trial in trials)
    left = sum(trial.state == "pruned" for trial in trials)
    lost = len(trials) - whole - left
    families = count_text(len({trial.family for trial in trials}), "family", "families")
    counts = [f"{len(trials)} in {families}"]
    counts += [f"{left} left the race"] if left else []
    counts += [f"{lost} without a result"] if lost else []
    figures = [
        ("Trials", ", ".join(counts)),
        ("Sequences" if are_tokens(summary) else "Rows", parts_text(summary)),
        _outputs(data),
    ]
    if "total" in summary.seconds:
        figures.append(("Time", duration_text(summary.seconds["total"])))
    return tuple(figures)


def _outputs(data: DataSummary) -> tuple[str, str]:
    """Return the number of labels of a row, or of classes, as a name and a number."""
    number, name = classes_text(data).split()
    return capital(name), number


def data_pairs(summary: Summary) -> Pairs:
    """Return the facts about the data."""
    data = summary.data
    return (
        ("Source", data.source),
        ("Target", f"{data.target} ({data.task}, {classes_text(data)})"),
        *([("Cost per row", data.cost_column)] if data.cost_column else []),
        *_parts(summary),
    )


def _parts(summary: Summary) -> Pairs:
    """Return the rows of each part."""
    data, found = summary.data, summary.resampling
    if found is None or found.folds < 2:
        first: Pairs = (
            ("Training rows", f"{data.n_train:,}"),
            ("Validation rows", f"{data.n_valid:,}"),
        )
    else:
        name = "Rows to train and validate"
        first = ((name, f"{all_rows(data) - data.n_test:,} in {found.folds} divisions"),)
    if judge_of(summary) != "locked":
        return (*first, (capital(rows_name(summary)), f"{summary.verdict.n_test:,}"))
    return (*first, ("Locked test rows", f"{data.n_test:,}"))


def setting_pairs(summary: Summary) -> Pairs:
    """Return the settings, without the choices of other rules, which have their own table."""
    hidden = {"rules"} if rule_rows(summary) else set()
    return tuple(
        (key, setting_text(value)) for key, value in summary.settings.items() if key not in hidden
    )


def study_pairs(summary: Summary) -> Pairs:
    """Return the study's name, its end, the version and its times."""
    return (
        ("Study", summary.name),
        ("Finished", date_text(summary.created)),
        ("autoloss", summary.version),
        *((_TIMES.get(key, key), duration_text(value)) for key, value in summary.seconds.items()),
    )


def report_command(summary: Summary) -> str:
    """Return the command that makes the report again."""
    return f"autoloss report {shlex.quote(summary.name)}"
