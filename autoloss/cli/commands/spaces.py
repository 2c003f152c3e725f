"""``autoloss spaces``: lists and shows search spaces, and checks the user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autoloss.cli import complete


def spaces(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="A space, or a TOML file, to show in full.",
            autocompletion=complete.spaces,
        ),
    ] = None,
    *,
    check: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A TOML file whose mistakes are all listed."),
    ] = None,
) -> None:
    """List the search spaces, show a space as TOML, or check your own file."""
    from autoloss.cli.console import output
    from autoloss.cli.spaces import space_rows, space_toml, verdict_on
    from autoloss.cli.tables import show_table

    console = output()
    if check is not None:
        console.print(verdict_on(check), soft_wrap=True)
    if name is not None:
        from autoloss.search.space_reader import load_space

        console.print(space_toml(load_space(name)), soft_wrap=True)
    if name is None and check is None:
        show_table(console, ("Space", "Losses", "Description"), space_rows(), whole=(0,))
        console.print("autoloss spaces NAME shows one of them, to be copied and changed.")
