"""The program: its commands and the options that all of them share."""

from __future__ import annotations

import functools
import os
import sys
import time
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from autoloss.cli.commands import (
    bench,
    diagnose,
    export,
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
from autoloss.cli.examples import epilog
from autoloss.cli.guard import INTERRUPTED, guarded, say
from autoloss.cli.loudness import Loudness, set_loudness
from autoloss.cli.plain import is_plain, make_showable
from autoloss.core.clock import counting_from


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
        set_loudness(Loudness.NORMAL)
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

    def invoke(self, ctx: Any) -> Any:
        """Run a command, and report an interrupt in one line unless the command explains it."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            say("interrupted.")
            raise typer.Exit(INTERRUPTED) from stop


app = typer.Typer(
    cls=Program,
    no_args_is_help=True,
    epilog="Exit codes: 0 done, whatever the verdict; 1 a failure of autoloss, with the place "
    "of its log; 2 something to put right in the data or the options; "
    "3 not what --fail-unless asks for; "
    "130 interrupted.",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_SEARCH, _WINNER, _KNOW = "Search", "What was found", "What there is"
# In the order in which a newcomer meets them.
for name, command, panel in (
    ("search", search.search, _SEARCH),
    ("resume", resume.resume, _SEARCH),
    ("list", list_studies.list_studies, _SEARCH),
    ("select", select.select, _WINNER),
    ("report", report.report, _WINNER),
    ("predict", predict.predict, _WINNER),
    ("export", export.export, _WINNER),
    ("diagnose", diagnose.diagnose, _WINNER),
    ("ui", ui.ui, _WINNER),
    ("losses", losses.losses, _KNOW),
    ("spaces", spaces.spaces, _KNOW),
    ("bench", bench.bench, _KNOW),
):
    app.command(name, epilog=epilog(name), rich_help_panel=panel)(command)


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
    make_showable()
    if is_plain():
        # Typer draws the help, which must be plain too.
        os.environ["_TYPER_FORCE_DISABLE_TERMINAL"] = "1"
    # A time limit counts from the start of the process.
    with counting_from(time.monotonic() - time.process_time()):
        app()
