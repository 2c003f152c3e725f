"""The options of ``autoloss search`` and ``autoloss resume`` for the place of the training."""

from __future__ import annotations

from typing import Annotated

import typer

from autoloss.cli import complete, options

Executor = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Where candidates train: local (this machine) or ray (a Ray cluster).",
        autocompletion=complete.executors,
        rich_help_panel=options.BUDGET,
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Address of the Ray cluster: auto (on this machine), HOST:PORT or ray://HOST:PORT; "
        "without it one is started here.",
        rich_help_panel=options.BUDGET,
    ),
]
