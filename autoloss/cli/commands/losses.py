"""``autoloss losses``: what can be searched, and where each loss comes from."""

from __future__ import annotations

import inspect
from typing import Annotated

import typer


def losses(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="A loss, prior or target to show in full."),
    ] = None,
) -> None:
    """List the losses, priors and targets with their parameters, or describe one of them."""
    from rich.text import Text

    from autoloss.cli.console import output
    from autoloss.cli.declarations import find, loss_cards, part_cards
    from autoloss.cli.tables import make_cards

    console = output()
    if name is not None:
        declaration = find(name)
        for title, text in declaration.facts:
            console.print(Text.assemble((f"{title:<12}", "bold"), text), soft_wrap=True)
        console.print()
        console.print(Text(inspect.cleandoc(declaration.doc)), soft_wrap=True)
        return
    for title, cards in (("Loss", loss_cards()), ("Prior or target", part_cards())):
        console.print(make_cards(title, cards))
    console.print("autoloss losses NAME describes one of them.")
