"""A progress bar for work counted in rows; occasional lines where no bar can move."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.text import Text

from autoloss.cli.verbosity import is_quiet
from autoloss.report.words import duration_text

Count = Callable[[int], None]
_LEAST = 72


@contextmanager
def counted(
    console: Console,
    what: str,
    *,
    unit: str,
    about: int | None,
    every: float = 5.0,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Count]:
    """Show the progress, the speed and the time left.

    Args:
        console: The console.
        what: The work, such as ``"Predicting"``.
        unit: The counted unit, in the plural.
        about: The approximate total; None if unknown.
        every: Seconds between two lines without a terminal. Shorter work is not shown.
        clock: A monotonic clock, in seconds.

    Yields:
        A function to call with the number done so far.
    """
    began = clock()

    def text(done: int) -> str:
        return counted_text(done, unit=unit, seconds=clock() - began, about=about)

    if is_quiet():
        yield lambda done: None
    elif console.is_interactive:
        bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=max(4, min(30, console.width - _LEAST))),
            TaskProgressColumn(),
            TextColumn("{task.fields[detail]}"),
            console=console,
            transient=True,
        )
        task = bar.add_task(what, total=about, detail="")
        with bar:
            yield lambda done: bar.update(
                task, completed=done, total=about and max(about, done), detail=text(done)
            )
    else:
        last = began

        def show(done: int) -> None:
            nonlocal last
            if clock() - last >= every:
                last = clock()
                console.print(Text(f"{what}: {text(done)}"), soft_wrap=True)

        yield show


@contextmanager
def waited(console: Console, what: str) -> Iterator[None]:
    """Show the elapsed seconds of work that cannot be counted."""
    if is_quiet() or not console.is_interactive:
        yield
        return
    with Progress(
        TextColumn(what), TextColumn("{task.elapsed:.0f} s"), console=console, transient=True
    ) as bar:
        bar.add_task(what, total=None)
        yield


def counted_text(done: int, *, unit: str, seconds: float, about: int | None) -> str:
    """Describe the progress, the speed and the time left.

    Examples:
        >>> counted_text(5000, unit="rows", seconds=10.0, about=20_000)
        '5,000 rows, 500 rows/s, 30 s left'
    """
    parts = [f"{done:,} {unit}"]
    if seconds > 0 and done:
        rate = done / seconds
        parts.append(f"{rate:,.0f} {unit}/s" if rate >= 100 else f"{rate:.3g} {unit}/s")
        if about is not None and about > done:
            parts.append(f"{duration_text(round((about - done) * seconds / done))} left")
    return ", ".join(parts)
