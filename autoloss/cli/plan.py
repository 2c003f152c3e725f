"""The plan of a search, as a table and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import groupby

from rich.console import Console
from rich.text import Text

from autoloss.cli.tables import show_pairs
from autoloss.records import DataSummary, LabelCount, Plan
from autoloss.report.document import SCHEMA_VERSION, json_text
from autoloss.report.power import power_before
from autoloss.report.rows import ROWS, all_rows, classes_text
from autoloss.report.words import count_text, duration_text, is_number, size_text

_KINDS = {"numeric": "number", "categorical": "category", "boolean": "category"}
_MANY, _LABELS = 60, 20
LONG_SECONDS = 1800.0
"""The expected time from which on a plan without a limit mentions the limit."""


def show_lines(console: Console, plan: Plan) -> None:
    """Print the plan as two columns that fit any width."""
    show_pairs(console, list(plan_lines(plan)))


def plan_lines(plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield the plan as pairs of a name and a sentence."""
    data = plan.data
    rows = all_rows(data)
    if plan.name:
        yield "Study", plan.name
    yield "Data", f"{data.source}, {rows:,} rows, {count_text(len(data.columns), 'column')}"
    is_locked = plan.verdict == "locked"
    locked = f"{data.n_test:,} locked to test" if is_locked else "none locked to test"
    is_first = data.n_train + data.n_valid < rows - data.n_test
    where = " in the first division" if is_first else ""
    parts = f"{data.n_train:,} rows to train, {data.n_valid:,} to validate{where}"
    yield "Split", f"{parts}, {locked}"
    if plan.resampling:
        yield "Rows", plan.resampling
    yield "Task", f"{data.task}: {data.target} with {classes_text(data)}"
    if data.labels:
        yield "Labels", labels_text(data.labels)
    if data.task == "sequence":
        yield "Tags", tags_text(data.classes, data.class_counts)
    if plan.network:
        yield "Network", plan.network
    yield "Families", ", ".join(plan.families)
    yield "Baselines", "equally tuned cross-entropy, smoothed cross-entropy, Brier"
    if plan.dropped:
        yield "Left out", f"{', '.join(plan.dropped)} (the budget is too small for them)"
    yield (
        "Budget",
        f"{plan.trials} trials, at least {plan.quota} per family, "
        f"{plan.together or 'as many as is fastest'} trained together on {plan.device}"
        + (f"; {plan.race}" if plan.race else ""),
    )
    if plan.memory:
        yield "Memory", f"at most {size_text(plan.memory)} for candidates in training"
    if plan.expected_seconds is not None:
        yield "Time", time_text(plan.expected_seconds, is_limited=bool(plan.allowed))
    if plan.allowed:
        yield "Limit", plan.allowed
    if is_number(plan.detectable):
        yield "Smallest detectable difference", power_before(plan, where=ROWS[plan.verdict])
    for note in plan.notes:
        yield "Note", note


def labels_text(labels: Sequence[LabelCount]) -> str:
    """Return the labels with the rows that have them, the rarest of many only.

    Examples:
        >>> labels_text([LabelCount("calm", 20, 80), LabelCount("sad", 1, 99)])
        'calm 20 rows (20.0%), sad 1 row (1.0%)'
    """
    rare = sorted(labels, key=lambda one: one.positives)
    shown = labels if len(rare) <= _LABELS else rare[:_LABELS]
    parts = [
        f"{one.name} {count_text(one.positives, 'row')}"
        f" ({100 * one.positives / max(1, one.positives + one.negatives):.1f}%)"
        for one in shown
    ]
    text = ", ".join(parts)
    if len(shown) == len(rare):
        return text
    return f"the rarest: {text}; the most frequent has {rare[-1].positives:,} rows"


def tags_text(tags: Sequence[object], counts: Sequence[int]) -> str:
    """Return the tags with their tokens, the rarest of many only.

    Examples:
        >>> tags_text(("B-x", "O"), (10, 90))
        'O 90 tokens (90.0%), B-x 10 tokens (10.0%)'
    """
    ordered = sorted(zip(counts, map(str, tags), strict=True), reverse=True)
    total = max(1, sum(counts))
    shown = ordered[-_LABELS:]
    text = ", ".join(
        f"{tag} {count_text(count, 'token')} ({100 * count / total:.1f}%)" for count, tag in shown
    )
    if len(shown) == len(ordered):
        return text
    return f"the rarest: {text}; the most frequent has {ordered[0][0]:,} tokens"


def time_text(seconds: float, *, is_limited: bool) -> str:
    """Return the expected time of a search, with advice if it is long and has no limit.

    Examples:
        >>> time_text(90.0, is_limited=False)
        'about 1 min 30 s'
        >>> time_text(7200.0, is_limited=False)
        'about 2 h; --time-limit makes a plan that fits'
    """
    text = f"about {duration_text(round(seconds))}"
    is_long = seconds >= LONG_SECONDS and not is_limited
    return f"{text}; --time-limit makes a plan that fits" if is_long else text


def show_columns(console: Console, data: DataSummary) -> None:
    """Print each column with its kind and the reason for it."""
    console.print()
    console.print(Text("Columns", style="bold"))
    show_pairs(console, list(column_lines(data)))


def column_lines(data: DataSummary) -> Iterator[tuple[str, str]]:
    """Yield each column with its kind and the reason for it, the target first.

    Adjacent columns of the same kind share a line if there are many columns.
    """
    yield data.target, f"the target, {classes_text(data)}"
    reasons = (*data.reasons, *("" for _ in data.columns[len(data.reasons) :]))
    every = [
        (name, f"{_KINDS.get(kind, kind)}{f' ({why})' if why else ''}")
        for (name, kind), why in zip(data.columns, reasons, strict=True)
    ]
    every += data.aside
    if len(every) <= _MANY:
        yield from every
        return
    for text, group in groupby(every, key=lambda pair: pair[1]):
        names = [name for name, _ in group]
        count = f" to {names[-1]}, {len(names):,} columns" if len(names) > 1 else ""
        yield names[0] + count, text


def plan_json(plan: Plan) -> str:
    """Return the plan as one JSON document; NaN and infinities become ``null``."""
    return json_text({"schema_version": SCHEMA_VERSION, **asdict(plan)})
