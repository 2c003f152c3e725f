"""``autoloss diagnose``: finds faults of a model and its loss from predictions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autoloss.cli import image_options, options

EXAMPLES = (
    "autoloss diagnose churn new_rows.csv",
    "autoloss diagnose churn new_rows.csv --ood other_country.csv",
    "autoloss diagnose --logits valid.npz --loss 'focal gamma=3' -o valid.html",
)


def diagnose(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL",
            help="A study's name or folder, or a model's folder.",
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA",
            help="Rows with the target column that the model was not trained on.",
            show_default=False,
        ),
    ] = None,
    *,
    logits: Annotated[
        Path | None,
        typer.Option(
            "--logits",
            metavar="FILE",
            help="Saved predictions of any model instead: an .npz file with the keys logits (or "
            "probs) and labels, and optionally weights and classes.",
        ),
    ] = None,
    loss: Annotated[
        str | None,
        typer.Option(
            "--loss",
            metavar="LOSS",
            help="The loss whose gradient is shown, such as 'focal gamma=3'; by default the loss "
            "that trained MODEL, or cross_entropy.",
        ),
    ] = None,
    ood: Annotated[
        str | None,
        typer.Option(
            "--ood",
            metavar="FILE",
            help="Out-of-distribution rows, which belong to no class: shows how well each score "
            "separates them from DATA. Rows with the columns of DATA, or beside --logits an .npz "
            "file.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="The page, an .html file; reports/NAME-diagnosis.html by default.",
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, metavar="N", help="Seed of folds, bootstrap and draws.")
    ] = 0,
    losses: options.Losses = None,
    network: options.NetworkAgain = None,
    features: image_options.FeaturesAgain = None,
    as_json: options.Json = False,
) -> None:
    """Diagnose a model and its loss from predictions, without training.

    The findings: calibration beside its null level, the gain from a temperature or a shift of the
    classes, the rows that receive the gradient, the rows where it vanishes, labels that may be
    wrong, and bits per label.
    """
    from autoloss.cli import diagnosis
    from autoloss.cli.terminal import output as results
    from autoloss.cli.verbosity import say

    page = diagnosis.page_path(output, model=model, logits=logits)
    found = diagnosis.diagnose(
        model,
        data,
        logits=logits,
        loss=loss,
        seed=seed,
        losses=tuple(losses or ()),
        network=network,
        features=features,
        ood=ood,
    )
    diagnosis.write_page(found, page)
    if as_json:
        from autoloss.report import diagnosis_json

        print(diagnosis_json(found), end="")
    else:
        diagnosis.show(results(), found)
    say(f"wrote {page}.")
