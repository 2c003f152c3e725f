"""``autoloss export``: writes the model of a study for other programs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from autoloss.cli import options

EXAMPLES = (
    "autoloss export churn --to onnx -o churn.onnx",
    "autoloss export churn --to mlflow -o churn-model",
)


class ExportFormat(StrEnum):
    """The values of `--to`."""

    MLFLOW = "mlflow"
    ONNX = "onnx"
    TORCH = "torch"
    CODE = "code"


def export(
    model: options.Model,
    *,
    to: Annotated[
        ExportFormat,
        typer.Option(
            "--to",
            help="mlflow: a folder for 'mlflow models serve'. onnx: an .onnx file, a named input "
            "for every column, or pixels. torch: a .pt2 program, its tables of codes beside it as "
            "JSON. code: a .py file that does not need autoloss, its weights beside it.",
        ),
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="PATH", help="The file, or the folder for mlflow."),
    ],
    losses: options.Losses = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Write a model for other programs, with encoding, networks, read-outs and decision."""
    import time

    from autoloss.cli.predictions import model_folder
    from autoloss.cli.progress_bar import waited
    from autoloss.cli.terminal import messages
    from autoloss.cli.verbosity import detail, note

    began = time.monotonic()
    with waited(messages(), f"Writing {to.value}"):
        from autoloss.export import check_path
        from autoloss.export import export as write
        from autoloss.inference.loading import read_model
        from autoloss.losses.own import take_in

        check_path(to.value, output)
        take_in(tuple(losses or ()))
        # The custom network is not needed here, because it cannot be exported.
        classifier = read_model(model_folder(model), predicts=False)
        loaded = time.monotonic()
        files = write(classifier, to.value, output)
    note(f"wrote {' and '.join(map(str, files))}.")
    if classifier.strangers is not None and classifier.strangers.is_chosen:
        note("the OOD score is left out: autoloss predict --ood-score model has it.")
    detail(
        f"loaded the model in {loaded - began:.2g} s, wrote it in {time.monotonic() - loaded:.2g} "
        f"s: {len(classifier.members)} training runs."
    )
