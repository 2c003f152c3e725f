"""The last screen of a search: trials, finalists, verdict and next commands."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from autoloss.cli.options import OUT
from autoloss.cli.tables import show_pairs, show_places, show_table
from autoloss.records import REFINED_LOG_LOSS, Summary
from autoloss.report.brief import REFERENCE, brief_pairs
from autoloss.report.comparison import ComparisonRow, comparison_rows
from autoloss.report.finalists import finalist_rows
from autoloss.report.policies import policy_rows
from autoloss.report.roles import FRONT
from autoloss.report.shipped import verdict_now
from autoloss.report.trials import TrialRow, trial_columns, trial_rows
from autoloss.report.verdict import ships_text
from autoloss.report.words import MISSING, metric_words
from autoloss.tracking import dashboard_of

_TOP = 10
# With a brief, the table shows only the first rows of the comparison.
_COMPARED = 3
_NARROW, _WIDE = 76, 104
_STYLES = {"better": "green", "no_evidence": "yellow", "worse": "red", "undecided": "magenta"}


def show_ranking(console: Console, summary: Summary) -> None:
    """Print the best trials, lowest log loss after calibration first, then the finalists."""
    titles = (metric_words(summary.metric).title, metric_words(REFINED_LOG_LOSS).title)
    columns = trial_columns(summary)
    shown = [columns.index(title) for title in dict.fromkeys(titles) if title in columns]
    rows = [
        (str(row.rank or MISSING), _named(row), *(row.cells[place].text for place in shown))
        for row in trial_rows(summary)
        if (row.rank or _TOP + 1) <= _TOP or _roles(row)
    ]
    header = ("Rank", "Loss", *(columns[place] for place in shown))
    show_table(console, header, rows, whole=(1,))
    console.print()
    if summary.finalists:
        _show_finalists(console, summary)
        console.print()
    if summary.policies:
        _show_policies(console, summary)
        console.print()


def show_verdict(console: Console, summary: Summary, *, folder: Path) -> None:
    """Print verdict, shipped loss, comparison, evidence and next commands.

    Args:
        console: The console.
        summary: The study.
        folder: The study's folder.
    """
    show_decision(console, summary)
    brief = brief_pairs(summary)
    if rows := comparison_rows(summary)[: _COMPARED if brief else None]:
        console.print()
        _show_comparison(console, rows)
    if brief:
        console.print()
        show_pairs(console, [(name, _toned(summary, name, text)) for name, text in brief])
    console.print()
    # The name alone finds a study in the default folder.
    name = summary.name if folder == OUT / summary.name else str(folder)
    dashboard = dashboard_of(folder, study=name) if "tracking_uri" in summary.settings else None
    command = dashboard.command if dashboard else ""
    places = list(_places(summary, folder, dashboard=command))
    if dashboard:
        places.append(("" if command else "Dashboard", dashboard.url))
    show_places(console, places)


def show_decision(console: Console, summary: Summary) -> None:
    """Print the verdict and the shipped loss."""
    verdict = "Undecided: " if summary.verdict.decision == "undecided" else "Verdict: "
    badge = Text(verdict, style=f"bold {_STYLES[summary.verdict.decision]}")
    console.print(Text.assemble(badge, verdict_now(summary)))
    console.print(Text(ships_text(summary)))


def _toned(summary: Summary, name: str, text: str) -> str | Text:
    """Return the text, in red if gradient boosting is far ahead."""
    is_alarm = (
        name == REFERENCE and summary.reference is not None and summary.reference.is_far_ahead
    )
    return Text(text, style="red") if is_alarm else text


def command_line(words: Sequence[str]) -> str:
    """Return words as a command line for the shell of this system."""
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)


def _named(row: TrialRow) -> str:
    """Return a trial's loss, and its roles."""
    return f"{row.label} ({_roles(row)})" if _roles(row) else row.label


def _roles(row: TrialRow) -> str:
    """Return the roles of a trial, such as winner or baseline."""
    return ", ".join(role for role in row.roles if role != FRONT)


def _show_finalists(console: Console, summary: Summary) -> None:
    """Print the finalists, best first, in the columns that fit the width."""
    width = console.width
    title = metric_words(summary.metric).title
    header = (
        "Finalist",
        title,
        "Log loss",
        "to tuned cross-entropy",
        "95% interval",
        "likely best",
    )
    rows = [
        (
            f"{row.label} ({', '.join(row.roles)})" if row.roles else row.label,
            row.metric,
            row.log_loss,
            row.difference,
            row.interval,
            row.chance,
        )
        for row in finalist_rows(summary)
    ]
    # A narrow terminal keeps the interval, because the ranking already shows the log loss.
    places = (0, 1, 2, 3, 4, 5) if width >= _WIDE else (0, 1, 4, 5) if width >= _NARROW else (0, 4)
    show_table(
        console,
        [header[place] for place in places],
        [[row[place] for place in places] for row in rows],
    )


def _show_policies(console: Console, summary: Summary) -> None:
    """Print the models that could ship, in the columns that fit the width."""
    title = metric_words(summary.metric).title
    header = ("Shipping policy", title, "Log loss", "Change of log loss", "95% interval")
    rows = [
        (
            f"{row.policy} (ships)" if row.ships else row.policy,
            row.metric,
            row.log_loss,
            row.change,
            row.interval,
        )
        for row in policy_rows(summary)
    ]
    places = (0, 1, 2, 3, 4) if console.width >= _NARROW else (0, 4)
    show_table(
        console,
        [header[place] for place in places],
        [[row[place] for place in places] for row in rows],
    )


def _show_comparison(console: Console, rows: Sequence[ComparisonRow]) -> None:
    """Print the comparison with tuned cross-entropy in a form that fits the width."""
    width = console.width
    if width < _NARROW:
        pairs = [
            (row.title, f"{row.baseline} to {row.challenger}: {row.difference} ({row.interval})")
            for row in rows
        ]
        show_pairs(console, pairs)
        return
    header = ("", "tuned cross-entropy", "challenger", "difference", "95% interval", "conclusion")
    cells = [
        (row.title, row.baseline, row.challenger, row.difference, row.interval, row.reading)
        for row in rows
    ]
    # A narrow terminal drops the words on the interval first.
    end = len(header) if width >= _WIDE else -1
    show_table(console, header[:end], [row[:end] for row in cells])


def _places(summary: Summary, folder: Path, *, dashboard: str) -> Sequence[tuple[str, str]]:
    """Return the paths of model and report, and the next commands."""
    model = str(folder / "model")
    # CoNLL is written as it is read; other files of sequences are tables with lists.
    source = Path(summary.data.source).suffix
    ending = source if summary.data.task == "sequence" and source else ".csv"
    predict = ["autoloss", "predict", model, f"NEW{ending}", "-o", f"predictions{ending}"]
    if network := summary.settings.get("model"):
        predict += ["--model", str(network)]
    return [
        ("Model", model),
        *([("Loss", str(folder / "loss.py"))] if (folder / "loss.py").is_file() else []),
        ("Report", str(folder / "report.html")),
        ("Next", command_line(predict)),
        *([("Dashboard", dashboard)] if dashboard else []),
    ]
