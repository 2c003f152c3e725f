"""The progress of a search on standard error: a live bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.text import Text

from autoloss.cli.plan import plan_table
from autoloss.records import Plan, Update
from autoloss.report.words import duration_text, metric_words, value_text

PHASES = {"search": "Searching", "final": "Final trainings"}


@contextmanager
def watched(console: Console) -> Iterator[LiveProgress | LineProgress]:
    """Show a search on `console` while the context lasts."""
    if not console.is_terminal:
        yield LineProgress(console)
        return
    live = LiveProgress(console)
    with live.bar:
        yield live


class LiveProgress:
    """Two lines that stay in place: how far the search is, and the best candidate so far."""

    def __init__(self, console: Console) -> None:
        self.plan: Plan | None = None
        self._console = console
        self.bar = _Bar(
            TextColumn("{task.description}"),
            BarColumn(bar_width=max(4, min(30, console.width - 70))),
            TaskProgressColumn(),
            TextColumn("{task.fields[detail]}"),
            console=console,
            transient=True,
        )
        self._task = self.bar.add_task("Starting", total=1.0, detail="")

    def planned(self, plan: Plan) -> None:
        """Show what is going to be done, above the bar."""
        self.plan = plan
        self._console.print(plan_table(plan))

    def updated(self, update: Update) -> None:
        """Move the bar."""
        self.bar.best = best_text(update, plan=self.plan)
        self.bar.update(
            self._task,
            completed=update.fraction,
            description=PHASES[update.phase],
            detail=standing_text(update),
        )

    def noted(self, text: str) -> None:
        """Show one sentence above the bar."""
        self._console.print(Text(f"Note: {text}"))


class LineProgress:
    """A line now and then, for logs and pipes.

    Args:
        console: Where the lines go.
        every: Seconds between two lines at least; a new phase and the end are always shown.
        clock: Seconds that only ever grow.
    """

    def __init__(
        self,
        console: Console,
        *,
        every: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.plan: Plan | None = None
        self._console = console
        self._every = every
        self._clock = clock
        self._last = -float("inf")
        self._phase = ""

    def planned(self, plan: Plan) -> None:
        """Show what is going to be done."""
        self.plan = plan
        self._console.print(plan_table(plan))

    def updated(self, update: Update) -> None:
        """Show where the search stands, if the last line is old enough."""
        now = self._clock()
        due = now - self._last >= self._every
        if not (due or update.phase != self._phase or update.fraction >= 1.0):
            return
        self._last, self._phase = now, update.phase
        parts = (
            f"{PHASES[update.phase]} {update.fraction:.0%}",
            standing_text(update),
            best_text(update, plan=self.plan).plain,
        )
        self._line("; ".join(part for part in parts if part))

    def noted(self, text: str) -> None:
        """Show one sentence."""
        self._line(f"Note: {text}")

    def _line(self, text: str) -> None:
        """Print one line whatever its length: a log is searched, not looked at."""
        self._console.print(Text(text), soft_wrap=True)


class _Bar(Progress):
    """A progress bar with the best candidate under it."""

    best = Text()

    def get_renderables(self) -> Iterable[RenderableType]:
        """Return the bar's line and the line below it."""
        yield from super().get_renderables()
        if self.best:
            yield self.best


def standing_text(update: Update) -> str:
    """Return the trials done, the speed and the time left, in a few words."""
    parts = [f"{update.done}/{update.total} trials"]
    if update.rate > 0:
        parts.append(f"{update.rate:.3g} candidates/s")
    if 0 <= update.left < float("inf"):
        parts.append(f"{duration_text(round(update.left))} left")
    return ", ".join(parts)


def best_text(update: Update, *, plan: Plan | None) -> Text:
    """Return the best candidate so far in one line, cut where it is too long; empty at first."""
    metric = plan.metric if plan else "error"
    line = (
        f"Best so far: {update.best_label} ({metric_words(metric).title.lower()} "
        f"{value_text(metric, update.best_metric)}, "
        f"log loss {value_text('refined_log_loss', update.best_log_loss)})"
    )
    return Text(line if update.best_label else "", no_wrap=True, overflow="ellipsis")
