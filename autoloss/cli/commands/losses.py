"""``autoloss losses``: lists and describes the losses that a search can try."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from autoloss.cli import complete, options

if TYPE_CHECKING:
    from autoloss.cli.catalogue.entries import Entry

EXAMPLES = (
    "autoloss losses",
    "autoloss losses focal",
    "autoloss losses --family robust --task binary",
)


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
            help="List the losses of a family, such as robust.",
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
    from autoloss.cli.catalogue import tables
    from autoloss.cli.terminal import output

    if name is not None:
        # These load torch.
        from autoloss.cli.catalogue import description
        from autoloss.cli.catalogue.library import find

        _load(losses)
        entry = find(name)
        if as_json:
            _print_json(description.document(entry))
        else:
            description.show(output(), entry)
        return
    entries, parts = _entries(family, task, losses)
    if as_json:
        _print_json({"declarations": [tables.document(one) for one in (*entries, *parts)]})
    else:
        tables.show_entries(output(), entries, parts)


def _entries(
    family: str | None, task: str | None, losses: options.Losses
) -> tuple[list[Entry], list[Entry]]:
    """Return losses, and priors, targets and penalties; only the custom losses load torch."""
    from autoloss.cli.catalogue.entries import stored

    if not losses:
        return stored(family=family, task=task)
    from autoloss.cli.catalogue.library import known_components, known_losses

    _load(losses)
    return known_losses(family=family, task=task), [] if family else known_components(task=task)


def _load(losses: options.Losses) -> None:
    """Load the files that declare the custom losses."""
    from autoloss.losses import load_losses

    for file in losses or ():
        load_losses(file)


def _print_json(content: dict[str, Any]) -> None:
    """Print a JSON document with its version."""
    from autoloss.report.document import SCHEMA_VERSION, json_text

    print(json_text({"schema_version": SCHEMA_VERSION, **content}), end="")
