"""The progress of a search on standard error: a live bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.table import Column
from rich.text import Text

from autoloss.cli.plan import show_lines
from autoloss.cli.verbosity import is_quiet, is_verbose
from autoloss.experiment.progress import LINE_SECONDS, PHASES, Pace, Silent, left_text, trials_text
from autoloss.experiment.progress import Progress as Watcher
from autoloss.records import Plan, Update
from autoloss.report.words import duration_text, metric_words, value_text

_DONE = {
    "start": "Data were read and divided",
    "search": "The search took",
    "final": "Final training runs, verdict and report took",
}
_BAR = 30
# Characters of the words before a bar, and of the words on both sides of it.
_BEFORE, _BESIDE = 24, 78


@contextmanager
def watched(console: Console) -> Iterator[Watcher]:
    """Show the progress of a search on `console` during the context."""
    if is_quiet():
        yield Silent()
    elif console.is_interactive:
        live = LiveProgress(console)
        with live.bar:
            yield live
        live.end()
    else:
        lines = LineProgress(console)
        yield lines
        lines.end()


class _Messages:
    """Messages of a search: the plan, notes, and the time of each phase.

    Args:
        console: The console.
        clock: A monotonic clock, in seconds.
    """

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self.plan: Plan | None = None
        self._console = console
        self._clock = clock
        self._phase, self._since = "start", clock()

    def planned(self, plan: Plan) -> None:
        """Show the plan."""
        self.plan = plan
        show_lines(self._console, plan)
        self._enter("search")

    def noted(self, text: str) -> None:
        """Show one sentence."""
        self._console.print(Text(f"Note: {text}"), soft_wrap=True)

    def detailed(self, text: str) -> None:
        """Show one sentence if the program is verbose."""
        if is_verbose():
            self._console.print(Text(text), soft_wrap=True)

    def end(self) -> None:
        """End the display."""
        self._enter("")

    def _enter(self, phase: str) -> None:
        """Begin another phase, and report the time of the last."""
        if phase == self._phase:
            return
        if self.plan is not None:
            took = self._clock() - self._since
            between = " in" if self._phase == "start" else ""
            self.detailed(f"{_DONE[self._phase]}{between} {duration_text(took)}.")
        self._phase, self._since = phase, self._clock()


class LiveProgress(_Messages):
    """A progress bar, and the best candidate so far."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        # A narrow terminal has no room for words beside the bar.
        self._is_wide = wide = console.width >= _BESIDE + _BAR // 2
        self.bar = _Bar(
            TextColumn("{task.description}"),
            BarColumn(bar_width=max(4, min(_BAR, console.width - (_BESIDE if wide else _BEFORE)))),
            TaskProgressColumn(),
            TextColumn("{task.fields[detail]}", table_column=Column(no_wrap=True)),
            console=console,
            transient=True,
        )
        self._task = self.bar.add_task("Starting", total=1.0, detail="")

    def updated(self, update: Update) -> None:
        """Move the bar."""
        self._enter(update.phase)
        detail = standing_text(update)
        self.bar.below = [
            *([] if self._is_wide else [Text(detail, no_wrap=True, overflow="ellipsis")]),
            best_text(update, plan=self.plan),
        ]
        self.bar.update(
            self._task,
            completed=update.fraction,
            description=PHASES[update.phase],
            detail=detail if self._is_wide else "",
        )


class LineProgress(_Messages):
    """Occasional lines for logs and pipes.

    Args:
        console: The console.
        every: Least seconds between two lines; a new phase and the end are shown at once.
        clock: A monotonic clock, in seconds.
    """

    def __init__(
        self,
        console: Console,
        *,
        every: float = LINE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(console, clock)
        self._pace = Pace(every=every, clock=clock)

    def updated(self, update: Update) -> None:
        """Show the progress, if the last line is old enough."""
        self._enter(update.phase)
        if not self._pace.is_due(update):
            return
        parts = (
            f"{PHASES[update.phase]} {update.fraction:.0%}",
            standing_text(update),
            best_text(update, plan=self.plan).plain,
        )
        # A single line of any length, because people search logs.
        text = "; ".join(part for part in parts if part)
        self._console.print(Text(text), soft_wrap=True)


class _Bar(Progress):
    """A progress bar with lines under it."""

    below: tuple[Text, ...] | list[Text] = ()

    def get_renderables(self) -> Iterable[RenderableType]:
        """Return the bar's line and the lines below it."""
        yield from super().get_renderables()
        yield from (line for line in self.below if line)


def standing_text(update: Update) -> str:
    """Describe the trials done, the speed and the time left."""
    parts = [trials_text(update)]
    # No trial ends after the search.
    if update.rate > 0 and update.phase == "search":
        parts.append(f"{update.rate:.3g} candidates/s")
    parts.append(left_text(update))
    return ", ".join(part for part in parts if part)


def best_text(update: Update, *, plan: Plan | None) -> Text:
    """Return the best candidate so far in one line, truncated to fit; empty at first."""
    metric = plan.metric if plan else "error"
    line = (
        f"Best so far: {update.best_label} ({metric_words(metric).title.lower()} "
        f"{value_text(metric, update.best_metric)}, "
        f"log loss {value_text('refined_log_loss', update.best_log_loss)})"
    )
    return Text(line if update.best_label else "", no_wrap=True, overflow="ellipsis")
