"""The progress of a search from Python: a bar in a terminal or notebook, lines in a log."""

from __future__ import annotations

import functools
import html
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from autoloss.core.errors import InputError
from autoloss.experiment.progress import (
    PHASES,
    Pace,
    Progress,
    Silent,
    left_text,
    trials_text,
)
from autoloss.records import Plan, Update
from autoloss.report.words import (
    count_text,
    duration_text,
    in_sentence,
    metric_words,
    value_text,
)

if TYPE_CHECKING:
    from rich.console import Console

P = ParamSpec("P")
R = TypeVar("R")
Watcher = Progress | bool | None
"""The receiver of the progress: an object; True for the best display available; False for none;
None for a display in a terminal and in a notebook only."""


def watched(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a public function so that it shows its progress as its argument `progress` says."""

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        with watching(kwargs.get("progress")) as progress:
            return function(*args, **{**kwargs, "progress": progress})  # type: ignore[arg-type]

    return call


def as_progress(watcher: Watcher) -> Progress:
    """Return the receiver of the progress that `watched` has chosen."""
    return Silent() if watcher is None or isinstance(watcher, bool) else watcher


@contextmanager
def watching(progress: Any) -> Iterator[Progress]:
    """Show the progress of a search during the context.

    Raises:
        InputError: If `progress` is not a `Watcher`.
    """
    if progress is not None and not isinstance(progress, bool):
        if not hasattr(progress, "updated"):
            raise InputError(
                "progress must be True, False, None or an object with the methods of "
                f"autoloss.experiment.progress.Progress, but got progress={progress!r}."
            )
        yield progress
    elif progress is False:
        yield Silent()
    elif is_notebook():
        yield Page()
    elif is_terminal():
        with Bar() as bar:
            yield bar
    else:
        yield Lines() if progress else Silent()


def is_notebook() -> bool:
    """Return whether the output of this process goes to a cell of a notebook."""
    if "IPython" not in sys.modules:
        return False
    shell = sys.modules["IPython"].get_ipython()
    return shell is not None and hasattr(shell, "kernel")


def is_terminal() -> bool:
    """Return whether standard error is a terminal in which a line can stay in place."""
    return sys.stderr.isatty() and os.environ.get("TERM", "").lower() not in ("dumb", "unknown")


def _console() -> Console:
    """Return standard error, on which texts are shown as they are."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, emoji=False, markup=False)


class _Sentences(Silent):
    """Shows the plan as a sentence like any other, and no details."""

    metric = "error"

    def planned(self, plan: Plan) -> None:
        """Show the plan."""
        self.metric = plan.metric
        seconds = plan.expected_seconds
        time_text = "" if seconds is None else f", about {duration_text(round(seconds))}"
        name = f"{plan.name}: " if plan.name else ""
        self.noted(
            f"{name}{count_text(plan.trials, 'trial')} of {len(plan.families)} families on "
            f"{plan.device}{time_text}."
        )
        if plan.allowed:
            self.noted(plan.allowed)

    def standing(self, update: Update) -> str:
        """Describe the progress: trials done, time left and the best candidate so far."""
        parts = [trials_text(update), left_text(update)]
        if update.best_label:
            title = in_sentence(metric_words(self.metric).title)
            value = value_text(self.metric, update.best_metric)
            parts.append(f"best so far {update.best_label} ({title} {value})")
        return ", ".join(part for part in parts if part)


class Bar(_Sentences):
    """A bar in a terminal, on standard error."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, TaskProgressColumn, TextColumn
        from rich.progress import Progress as RichProgress

        self._bar = RichProgress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            TaskProgressColumn(),
            TextColumn("{task.fields[detail]}", markup=False),
            console=_console(),
            transient=True,
        )
        self._task = self._bar.add_task("Starting", total=1.0, detail="")

    def __enter__(self) -> Bar:
        """Begin to show."""
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Remove the bar."""
        self._bar.stop()

    def updated(self, update: Update) -> None:
        """Move the bar."""
        self._bar.update(
            self._task,
            completed=update.fraction,
            description=PHASES[update.phase],
            detail=self.standing(update),
        )

    def noted(self, text: str) -> None:
        """Show one sentence above the bar."""
        self._bar.console.print(text, soft_wrap=True)


class Lines(_Sentences):
    """A line now and then on standard error, for logs."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = _console()
        self._pace = Pace(clock=clock)

    def updated(self, update: Update) -> None:
        """Show the progress, if the last line is old enough."""
        if not self._pace.is_due(update):
            return
        self.noted(f"{PHASES[update.phase]} {update.fraction:.0%}; {self.standing(update)}")

    def noted(self, text: str) -> None:
        """Show one sentence."""
        self._console.print(text, soft_wrap=True)


class Page(_Sentences):
    """A bar and the notes below it in the output of a notebook's cell."""

    def __init__(self) -> None:
        from IPython.display import display  # type: ignore[import-not-found, unused-ignore]

        self._notes: list[str] = []
        self._bar = ""
        self._handle = display(self, display_id=True)

    def updated(self, update: Update) -> None:
        """Move the bar."""
        words = html.escape(f"{PHASES[update.phase]} {update.fraction:.0%}")
        self._bar = (
            f'<div>{words} <progress max="1" value="{update.fraction:.3f}"></progress> '
            f"{html.escape(self.standing(update))}</div>"
        )
        self._handle.update(self)

    def noted(self, text: str) -> None:
        """Show one sentence."""
        self._notes.append(text)
        self._handle.update(self)

    def __repr__(self) -> str:
        return "\n".join(self._notes) or "The search starts."

    def _repr_html_(self) -> str:
        return "".join(f"<div>{html.escape(note)}</div>" for note in self._notes) + self._bar
