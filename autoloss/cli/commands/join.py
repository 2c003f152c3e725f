"""``autoloss join``: trains trials of a study beside other processes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autoloss.cli import complete, options

_Data = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="DATA",
        help="Path of the study's data on this machine, if it differs.",
        rich_help_panel=options.DATA,
    ),
]
_Device = Annotated[
    str | None,
    typer.Option(
        "--device",
        metavar="DEVICE",
        help="Device, if it differs from the study's: cpu, cuda, or auto.",
        autocompletion=complete.devices,
    ),
]
_Workers = Annotated[
    str | None,
    typer.Option(
        "--workers",
        metavar="N",
        help="Worker processes here, if they differ from the study's; auto: one per free core.",
        callback=options.number_or_auto,
    ),
]
_Wait = Annotated[
    float | None,
    typer.Option(
        "--wait",
        parser=options.duration,
        metavar="DURATION",
        help="Longest wait for a study that has not started yet: 90s, 10m, 2h.",
    ),
]
EXAMPLES = (
    "autoloss join churn --storage postgresql+psycopg://me@db/studies",
    "autoloss join churn --out /shared --data /data/churn.csv --workers 2",
    "autoloss join churn --out /shared",
)


def join(
    study: options.StudyName,
    *,
    storage: options.Storage = None,
    out: options.Out = options.OUT,
    data: _Data = None,
    valid: options.Valid = None,
    test: options.Test = None,
    losses: options.Losses = None,
    metrics: options.Metrics = None,
    model: options.NetworkAgain = None,
    device: _Device = None,
    workers: _Workers = None,
    wait: _Wait = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Train trials of a study beside other processes, on this or another machine.

    It ends when the study's budget is spent. The first process that finds it spent reaches the
    verdict; the last line names it.
    """
    from autoloss.cli.search_progress import watched
    from autoloss.cli.search_run import interruptible, show
    from autoloss.cli.terminal import messages, output

    with interruptible(), watched(messages()) as progress:
        # Loaded under the bar, because loading takes a second.
        from autoloss import api

        part = api.join(
            study,
            storage=storage,
            out=out,
            data=data,
            valid=valid,
            test=test,
            losses=tuple(losses or ()),
            metrics=tuple(metrics or ()),
            model=model,
            device=device,
            wait=wait or 0.0,
            workers=workers,  # type: ignore[arg-type]  # the callback makes it a number or auto
            progress=progress,
        )
    if part.result is not None:
        place = Path(study)
        show(part.result, out=place.parent if len(place.parts) > 1 else out)
    output().print(part.text, soft_wrap=True, markup=False, highlight=False)
