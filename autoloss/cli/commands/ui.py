"""``autoloss ui``: opens the MLflow dashboard."""

from __future__ import annotations

from typing import Annotated

import typer

from autoloss.cli import complete, options

EXAMPLES = (
    "autoloss ui",
    "autoloss ui churn --port 5001 --no-browser",
)


def ui(
    study: Annotated[
        str | None,
        typer.Argument(
            metavar="STUDY",
            help="A study's name or its folder; by default a table compares all studies.",
            autocompletion=complete.studies,
        ),
    ] = None,
    *,
    port: Annotated[
        int | None,
        typer.Option(
            min=1, max=65535, metavar="N", help="The port; by default 5000 or the next free."
        ),
    ] = None,
    host: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            help="The address to listen on; 0.0.0.0 serves every machine on the network.",
        ),
    ] = "127.0.0.1",
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the link in a browser.")
    ] = True,
    tracking_uri: options.TrackingUri = None,
    out: options.Out = options.OUT,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Start the MLflow dashboard, print its link and open it; Ctrl-C ends it."""
    from autoloss.cli.dashboard import find_place, show

    show(find_place(study, uri=tracking_uri, out=out), port=port, host=host, is_opened=browser)
