"""The program: its commands and the options that all of them share."""

from __future__ import annotations

import contextlib
import functools
import inspect
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from autoloss.cli.commands import (
    bench,
    diagnose,
    export,
    join,
    list_studies,
    losses,
    predict,
    report,
    resume,
    search,
    select,
    spaces,
    ui,
)
from autoloss.cli.failures import guarded
from autoloss.cli.streams import open_streams
from autoloss.cli.terminal import is_plain, make_showable
from autoloss.cli.verbosity import Verbosity, say, set_verbosity
from autoloss.core.clock import counting_from
from autoloss.core.interrupts import OF_SYSTEM, code_of, terminate


class Program(TyperGroup):
    """The group of all commands; each ends in an exit code, never in a traceback."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the command that `args` names, and exit with its code."""
        set_verbosity(Verbosity.NORMAL)
        run = functools.partial(
            super().main,
            args,
            "autoloss",
            complete_var,
            standalone_mode=False,
            windows_expand_args=windows_expand_args,
            **extra,
        )
        return sys.exit(guarded(run)) if standalone_mode else run()

    def make_context(self, *args: Any, **options: Any) -> Any:
        """Parse the options of the program."""
        with _interrupted_in_one_line():
            return super().make_context(*args, **options)

    def invoke(self, ctx: Any) -> Any:
        """Run a command; report an interrupt in one line if the command does not."""
        with _interrupted_in_one_line():
            return super().invoke(ctx)


@contextlib.contextmanager
def _interrupted_in_one_line() -> Iterator[None]:
    """Report an interrupt in one line, which Typer would turn into 130 without a word."""
    try:
        yield
    except KeyboardInterrupt as stop:
        say("interrupted.")
        raise typer.Exit(code_of(stop)) from stop


app = typer.Typer(
    cls=Program,
    no_args_is_help=True,
    epilog="Exit codes: 0 done, whatever the verdict; 1 a failure of autoloss, with the path "
    "of a log; 2 a mistake in the data or the options; 3 a verdict other than --fail-unless "
    "requires; 130 interrupted; 143 ended by the system; 129 ended with its terminal.",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _help(command: Callable[..., None]) -> str:
    """Return the docstring of a command, each paragraph on its own line to be wrapped."""
    paragraphs = inspect.cleandoc(command.__doc__ or "").split("\n\n")
    return "\n\n".join(" ".join(text.split()) for text in paragraphs)


def _epilog(examples: Sequence[str]) -> str:
    """Return the end of a command's help."""
    # An empty line between examples keeps them separate paragraphs.
    return "\n\n".join(["Examples:", *(f"$ {line}" for line in examples)])


_SEARCH, _RESULT, _REFERENCE = "Search", "Results", "Reference"
# In the order in which a new user needs them.
for name, module, command, panel in (
    ("search", search, search.search, _SEARCH),
    ("resume", resume, resume.resume, _SEARCH),
    ("join", join, join.join, _SEARCH),
    ("list", list_studies, list_studies.list_studies, _SEARCH),
    ("select", select, select.select, _RESULT),
    ("report", report, report.report, _RESULT),
    ("predict", predict, predict.predict, _RESULT),
    ("export", export, export.export, _RESULT),
    ("diagnose", diagnose, diagnose.diagnose, _RESULT),
    ("ui", ui, ui.ui, _RESULT),
    ("losses", losses, losses.losses, _REFERENCE),
    ("spaces", spaces, spaces.spaces, _REFERENCE),
    ("bench", bench, bench.bench, _REFERENCE),
):
    app.command(name, help=_help(command), epilog=_epilog(module.EXAMPLES), rich_help_panel=panel)(
        command
    )


def _show_version(wanted: bool) -> None:
    """Print the version and exit, if wanted."""
    if wanted:
        from importlib.metadata import version

        print(f"autoloss {version('autoloss')}")
        raise typer.Exit


@app.callback()
def program(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Find the loss that should train a classifier, and whether it beats tuned cross-entropy."""


def main() -> None:
    """Run the program on the arguments of this process."""
    # As with Ctrl-C, the study is closed, and no server, worker or temporary folder stays.
    for number in OF_SYSTEM:
        # ``nohup`` ignores the end of the terminal.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, terminate)
    open_streams()
    make_showable()
    if is_plain():
        # Typer draws the help, which must be plain too.
        os.environ["_TYPER_FORCE_DISABLE_TERMINAL"] = "1"
    # A time limit counts from the start of the process.
    with counting_from(time.monotonic() - time.process_time()):
        app()
