"""``autoloss predict``: labels and probabilities for new rows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autoloss.cli import image_options, options

EXAMPLES = (
    "autoloss predict churn new.csv -o predictions.csv",
    "autoloss predict churn new.parquet --id customer -o predictions.parquet",
    "autoloss predict churn new.csv --ood-score model -o predictions.csv",
    "autoloss predict reports/churn/model new.csv -o - | gzip > out.csv.gz",
)


def predict(
    model: options.Model,
    data: options.Data,
    *,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="The output: a .csv or .parquet file, or - for CSV on standard output. Sequences "
            "are written in the format of DATA, with the predicted tag and its probability.",
        ),
    ],
    id_column: Annotated[
        str | None,
        typer.Option(
            "--id",
            metavar="COLUMN",
            help="A column of DATA to copy to the output, such as a customer id.",
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Predict even if a column that matters is unusable in most rows.",
        ),
    ] = False,
    wide: Annotated[
        bool,
        typer.Option(
            "--wide",
            help="With several labels per row, write a column of 0 and 1 for each label in place"
            " of the column prediction.",
        ),
    ] = False,
    ood_score: Annotated[
        str | None,
        typer.Option(
            "--ood-score",
            metavar="SCORE",
            help="Add the columns ood_score, higher for out-of-distribution rows, and stranger, "
            "by the score model (that of the search), max_probability, entropy, energy or "
            "max_logit, with @T for a temperature. `autoloss diagnose --ood` compares them.",
        ),
    ] = None,
    ood_recall: Annotated[
        float | None,
        typer.Option(
            "--ood-recall",
            metavar="SHARE",
            help="The share of in-distribution rows that is accepted; 0.95 by default.",
        ),
    ] = None,
    losses: options.Losses = None,
    network: options.NetworkAgain = None,
    features: image_options.FeaturesAgain = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Write the predicted label and the probability of each class for every row of DATA.

    Several labels of a row are joined by |, or a list in a .parquet file. Rows keep their order.
    DATA may be larger than memory: CSV, TSV, Parquet and Feather are read in chunks; Excel and
    JSON are read whole. Cells that the model cannot use (a level unseen in training, a word among
    numbers) count as missing and are counted by column. If they fill more than half of a column
    that varied in training, nothing is written unless --force is given.
    """
    import time

    from autoloss.cli.predictions import (
        check_ending,
        check_no_rows,
        check_output,
        model_folder,
        write,
    )
    from autoloss.cli.progress_bar import counted, counted_text, waited
    from autoloss.cli.streams import has_reader
    from autoloss.cli.terminal import messages
    from autoloss.cli.verbosity import detail, note

    began = time.monotonic()
    unusable: list[str] = []
    console = messages()
    with waited(console, "Loading the model"):
        from autoloss import api
        from autoloss.data.messages import listed
        from autoloss.inference.predicting import LabelForm, Predicting, reader_of
        from autoloss.inference.tagging import write_tags

        check_output(output, data=data)
        classifier = api.load(
            model_folder(model), losses=tuple(losses or ()), model=network, features=features
        )
        if classifier.task.kind == "sequence":
            check_no_rows(
                {
                    "--id": id_column,
                    "--wide": wide,
                    "--force": force,
                    "--ood-score": ood_score,
                    "--ood-recall": ood_recall,
                }
            )
            tagged = write_tags(classifier, data, output)
            note(f"wrote the tags of {tagged:,} sequences to {output}.")
            return
        check_ending(output)
        labels: LabelForm = "lists" if output.suffix.lower() == ".parquet" else "joined"
        labels = "wide" if wide else labels
        reader = reader_of(classifier)
        if id_column is None and Path(data).is_dir():
            # Without the names of the files nobody could tell the rows apart.
            (id_column,) = reader.names
        predicting = Predicting(
            classifier,
            reader.open(data),
            id_column,
            force,
            labels,
            ood_score,
            ood_recall,
            unusable.append,
            reader,
        )
    if predicting.new:
        note(f"columns that the model was not trained on are ignored: {listed(predicting.new)}.")
    loaded = time.monotonic()
    detail(f"loaded {len(classifier.members)} training runs in {loaded - began:.2g} s.")
    about = predicting.rows.about
    with counted(console, "Predicting", unit="rows", about=about) as count:
        rows = write(predicting, output, count=count)
    if not has_reader():
        return
    for line in unusable:
        note(line)
    note(f"wrote {rows:,} predictions to {'standard output' if str(output) == '-' else output}.")
    taken = counted_text(rows, unit="rows", seconds=time.monotonic() - loaded, about=None)
    detail(f"{taken}, {time.monotonic() - loaded:.2g} s.")
