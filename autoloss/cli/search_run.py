"""Runs a search from the command line, with its progress and its result."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from autoloss.cli.failures import FAILED, NOT_BETTER
from autoloss.cli.options import OUT, Demand
from autoloss.cli.plan import plan_json, show_columns, show_lines
from autoloss.cli.progress_bar import waited
from autoloss.cli.search_progress import watched
from autoloss.cli.search_result import command_line, show_decision, show_ranking, show_verdict
from autoloss.cli.terminal import messages, output
from autoloss.cli.verbosity import detail, is_quiet, say
from autoloss.core.errors import SearchInterrupted, Terminated
from autoloss.core.interrupts import code_of
from autoloss.experiment.progress import Progress
from autoloss.records import Plan
from autoloss.report.words import duration_text

if TYPE_CHECKING:
    from autoloss.search.result import SearchResult


def run(
    search: Callable[[Progress], SearchResult],
    *,
    judge: Callable[[str, Progress], SearchResult],
    out: Path,
    storage: str | None,
) -> SearchResult:
    """Run a search under a progress bar.

    On an interrupt it offers a verdict on the finished trials if a terminal can answer; otherwise
    it keeps the study.

    Args:
        search: The search; takes the receiver of its progress.
        judge: Takes the name of a study, and concludes it with the trials that have ended.
        out: The folder of the studies.
        storage: The database of the trials, if it has one.

    Raises:
        typer.Exit: If the user interrupts it and wants no verdict.
    """
    try:
        with watched(messages()) as progress:
            return search(progress)
    except SearchInterrupted as stop:
        study = stop.study
        # Nobody answers a signal of the system.
        if isinstance(stop.__cause__, Terminated) or not _wants_verdict():
            _say_kept(study, out=out, storage=storage)
            raise typer.Exit(code_of(stop)) from stop
    except KeyboardInterrupt as stop:
        say("interrupted before the first training.")
        raise typer.Exit(code_of(stop)) from stop
    return run(lambda progress: judge(study, progress), judge=judge, out=out, storage=storage)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Report in a line that the user took this process from a study on which others work.

    Raises:
        typer.Exit: If the user interrupts it.
    """
    try:
        yield
    except SearchInterrupted as stop:
        say(
            f"interrupted; {stop.study} is kept, and the trials of this process are free for "
            f"others. To take part again: autoloss join {stop.study}"
        )
        raise typer.Exit(code_of(stop)) from stop


def _wants_verdict() -> bool:
    """Ask whether to judge the study now; without a terminal the answer is no."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    question = "Interrupted. Press v and Enter for a verdict now, or Enter to keep the study: "
    try:
        print(question, end="", file=sys.stderr, flush=True)
        return sys.stdin.readline().strip().lower() in ("v", "verdict")
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return False


def _say_kept(study: str, *, out: Path, storage: str | None) -> None:
    """Print the commands that resume a study, or judge it now."""
    words = ["autoloss", "resume", study]
    words += ["--out", str(out)] if out != OUT else []
    words += ["--storage", storage] if storage else []
    judge = command_line([*words, "--judge-now"])
    say(
        f"interrupted; the study is kept. For a verdict on the trials so far: {judge}; "
        f"to continue: {command_line(words)}"
    )


def show(result: SearchResult, *, out: Path, as_json: bool = False) -> None:
    """Show a finished search as a JSON document, or as ranked trials and the last screen."""
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


def make_plan(plan: Callable[[], Plan]) -> Plan:
    """Return a plan, and show meanwhile that it is being made."""
    with waited(messages(), "Reading the data and timing a few steps"):
        return plan()


def show_plan(plan: Plan, *, as_json: bool) -> None:
    """Show the plan of a search."""
    if as_json:
        print(plan_json(plan), end="")
    else:
        show_lines(output(), plan)
        show_columns(output(), plan.data)


def require(result: SearchResult, demand: Demand | None) -> None:
    """Exit with a distinct code if the verdict is not the demanded verdict.

    Raises:
        typer.Exit: If it is another verdict.
    """
    if demand is not None and result.verdict.decision != demand.value:
        say(
            f"the verdict is {result.verdict.decision}, and --fail-unless requires {demand.value}."
        )
        raise typer.Exit(NOT_BETTER)


def require_written(result: SearchResult) -> None:
    """Exit with the code of a failure if MLflow lacks some runs.

    Raises:
        typer.Exit: If it lacks some.
    """
    if result.unwritten:
        # A quiet program has not shown the note.
        if is_quiet():
            say(result.unwritten)
        raise typer.Exit(FAILED)


@contextlib.contextmanager
def results_only(is_on: bool) -> Iterator[None]:
    """Redirect the prints of other code to standard error during the context, if wanted."""
    with contextlib.redirect_stdout(sys.stderr) if is_on else contextlib.nullcontext():
        yield
