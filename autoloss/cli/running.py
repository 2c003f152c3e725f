"""A search from the command line: watched while it runs, shown when it ends."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from autoloss.cli.console import messages, output
from autoloss.cli.counting import waited
from autoloss.cli.guard import FAILED, INTERRUPTED, NOT_BETTER, detail, say
from autoloss.cli.loudness import is_quiet
from autoloss.cli.options import OUT, Demand
from autoloss.cli.plan import plan_json, show_lines
from autoloss.cli.progress import watched
from autoloss.cli.screen import command_line, show_decision, show_ranking, show_verdict
from autoloss.progress import Progress
from autoloss.records import Plan
from autoloss.report.words import duration_text

if TYPE_CHECKING:
    from autoloss.search.result import SearchResult


def run(
    search: Callable[[Progress], SearchResult], *, out: Path, storage: str | None
) -> SearchResult:
    """Run a search under a progress bar.

    Args:
        search: The search; it is told where to show its progress.
        out: The folder of the studies.
        storage: The database of the trials, if it has one.

    Raises:
        typer.Exit: If the user interrupts it.
    """
    try:
        with watched(messages()) as progress:
            return search(progress)
    except KeyboardInterrupt as stop:
        # The interface leaves the name of the study that it keeps.
        study = getattr(stop, "study", None)
        if study is None:
            say("interrupted before the first training.")
        else:
            words = ["autoloss", "resume", study]
            words += ["--out", str(out)] if out != OUT else []
            words += ["--storage", storage] if storage else []
            say(f"interrupted; the study is kept, and goes on with: {command_line(words)}")
        raise typer.Exit(INTERRUPTED) from stop


def show(result: SearchResult, *, out: Path, as_json: bool = False) -> None:
    """Show a finished search: as one JSON document, or as ranked trials and the last screen."""
    if as_json:
        from autoloss.report import summary_json

        print(summary_json(result.summary), end="")
        return
    console = output()
    if is_quiet():
        show_decision(console, result.summary)
        return
    show_ranking(console, result.summary)
    show_verdict(console, result.summary, folder=out / result.summary.name)
    seconds = result.summary.seconds
    if seconds:
        detail(", ".join(f"{name} {duration_text(one)}" for name, one in seconds.items()) + ".")


def looked_at(plan: Callable[[], Plan]) -> Plan:
    """Return a plan, which takes some seconds to make."""
    with waited(messages(), "Reading the data and timing a few steps"):
        return plan()


def show_plan(plan: Plan, *, as_json: bool) -> None:
    """Show what a search would do."""
    if as_json:
        print(plan_json(plan))
    else:
        show_lines(output(), plan)


def require(result: SearchResult, demand: Demand | None) -> None:
    """Leave with an exit code of its own if the verdict is not the one demanded.

    Raises:
        typer.Exit: If it is not.
    """
    if demand is not None and result.verdict.decision != demand.value:
        say(
            f"the verdict is {result.verdict.decision}, and --fail-unless asks for {demand.value}."
        )
        raise typer.Exit(NOT_BETTER)


def require_written(result: SearchResult) -> None:
    """Leave with the exit code of a failure if runs are missing in MLflow.

    Raises:
        typer.Exit: If some are.
    """
    if result.unwritten:
        # Who is quiet has not seen the note.
        if is_quiet():
            say(result.unwritten)
        raise typer.Exit(FAILED)


@contextlib.contextmanager
def results_only(wanted: bool) -> Iterator[None]:
    """Send what others print to standard error while the context lasts, if that is wanted."""
    with contextlib.redirect_stdout(sys.stderr) if wanted else contextlib.nullcontext():
        yield
