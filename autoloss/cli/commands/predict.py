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
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Where to: a .csv or .parquet file, or - for CSV on standard output.",
        ),
    ],
    id_column: Annotated[
        str | None,
        typer.Option(
            "--id",
            metavar="COLUMN",
            help="A column of DATA to carry through, such as a customer's number.",
        ),
    ] = None,
    losses: options.Losses = None,
    network: options.ModelAgain = None,
) -> None:
    """Write the predicted label and the probability of each class for every row of DATA.

    Rows keep their order. DATA may be larger than memory: CSV, TSV, Parquet and Feather are read
    piece by piece.
    """
    from autoloss import api
    from autoloss.cli.guard import say
    from autoloss.cli.predictions import check_output, model_folder, write
    from autoloss.data.messages import listed
    from autoloss.data.stream import open_rows
    from autoloss.predicting import Predicting

    check_output(output, data=data)
    classifier = api.load(model_folder(model), losses=tuple(losses or ()), model=network)
    predicting = Predicting(classifier, open_rows(data), id_column)
    if predicting.new:
        say(f"columns that the model was not trained on are ignored: {listed(predicting.new)}.")
    rows = write(predicting, output)
    say(f"wrote {rows:,} predictions to {'standard output' if str(output) == '-' else output}.")
