"""``autoloss losses``: the losses that a search can try, with their sources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from autoloss.cli import complete, options

if TYPE_CHECKING:
    from autoloss.cli.declared import Declared


def losses(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="A loss, prior, target or penalty to show in full.",
            autocompletion=complete.losses,
        ),
    ] = None,
    *,
    family: Annotated[
        str | None,
        typer.Option(
            metavar="FAMILY",
            help="List the losses of one family, such as robust.",
            autocompletion=complete.families,
        ),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            metavar="TASK",
            help="List losses that support this kind of label.",
            autocompletion=complete.tasks,
        ),
    ] = None,
    losses: options.Losses = None,
    as_json: options.Json = False,
) -> None:
    """List the losses with their parameters and sources, or describe a loss in full."""
    from autoloss.cli import catalogue
    from autoloss.cli.console import output

    if name is not None:
        _describe(name, losses, as_json=as_json)
        return
    shown, around = _listed(family, task, losses)
    if as_json:
        every = [catalogue.document(one) for one in (*shown, *around)]
        print(catalogue.to_json({"declarations": every}))
    else:
        catalogue.show_all(output(), shown, around)


def _describe(name: str, losses: options.Losses, *, as_json: bool) -> None:
    """Print the full description of a loss, prior, target or penalty."""
    from autoloss.cli import catalogue, description
    from autoloss.cli.console import output
    from autoloss.cli.declarations import find
    from autoloss.losses import load_losses

    for file in losses or ():
        load_losses(file)
    declared = find(name)
    if as_json:
        print(catalogue.to_json(description.document(declared)))
    else:
        description.show(output(), declared)


def _listed(
    family: str | None, task: str | None, losses: options.Losses
) -> tuple[list[Declared], list[Declared]]:
    """Return losses, priors, targets and penalties; only the user's own losses load torch."""
    from autoloss.cli.declared import stored

    if not losses:
        return stored(family=family, task=task)
    from autoloss.cli.declarations import known_losses, known_parts
    from autoloss.losses import load_losses

    for file in losses:
        load_losses(file)
    around = [] if family else known_parts(task=task)
    return known_losses(family=family, task=task), around
