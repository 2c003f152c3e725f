"""``autoloss resume``: go on with a study that was interrupted."""

from __future__ import annotations

from typing import Annotated

import typer

from autoloss.cli import options


def resume(
    study: Annotated[str, typer.Argument(metavar="STUDY", help="A study's name or its folder.")],
    *,
    out: options.Out = options.OUT,
    storage: options.Storage = None,
    losses: options.Losses = None,
    model: options.ModelAgain = None,
) -> None:
    """Go on with a study where it stopped, with the data and options that it began with."""
    from autoloss import api
    from autoloss.cli.running import run, show

    result = run(
        lambda progress: api.resume(
            study,
            out=out,
            storage=storage,
            losses=tuple(losses or ()),
            model=model,
            progress=progress,
        ),
        out=out,
        storage=storage,
    )
    show(result, out=out)
