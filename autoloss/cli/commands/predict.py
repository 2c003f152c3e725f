"""``autoloss predict``: labels and probabilities for new rows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autoloss.cli import options


def predict(
    model: Annotated[
        str,
        typer.Argument(metavar="MODEL", help="A study's name, or its folder, or a model's."),
    ],
    data: options.Data,
    *,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE", help="Where to: a .csv or .parquet file."),
    ],
    losses: options.Losses = None,
    network: options.ModelAgain = None,
) -> None:
    """Write the predicted label and the probability of each class for every row of DATA."""
    from autoloss import api
    from autoloss.cli.guard import say
    from autoloss.cli.predictions import check_output, model_folder, predictions, write
    from autoloss.data import read_table

    check_output(output, data=data)
    classifier = api.load(model_folder(model), losses=tuple(losses or ()), model=network)
    rows = predictions(classifier, read_table(data))
    write(rows, output)
    say(f"wrote {len(rows):,} predictions to {output}.")
