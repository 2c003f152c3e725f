"""The options that commands share or that only `search` has, each declared once."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from autoloss.cli import complete
from autoloss.cli.duration import seconds
from autoloss.cli.loudness import chatter, hush

OUT = Path("reports")
_DATA, _BUDGET, _OUTPUT = "Data", "Search", "Output"


class Demand(StrEnum):
    """What `--fail-unless` may ask for."""

    BETTER = "better"


class Track(StrEnum):
    """Which trials MLflow gets."""

    ALL = "all"
    PARETO = "pareto"
    OFF = "off"


def _duration(text: str) -> float:
    """Return the seconds of a duration given as an option."""
    try:
        return seconds(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


Data = Annotated[
    str,
    typer.Argument(
        help="A CSV, TSV (also .gz), Excel, JSON, JSON lines, Parquet, Feather or ARFF file, or "
        "sklearn:NAME (digits, breast_cancer, wine, iris).",
        metavar="DATA",
        show_default=False,
        autocompletion=complete.data,
    ),
]
StudyName = Annotated[
    str,
    typer.Argument(
        metavar="STUDY", help="A study's name or its folder.", autocompletion=complete.studies
    ),
]
Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A study's name, or its folder, or a model's.",
        autocompletion=complete.studies,
    ),
]
Target = Annotated[
    str | None,
    typer.Option(
        "--target",
        "-t",
        metavar="COLUMN",
        help="Column to predict; only sklearn:NAME has one of its own.",
        rich_help_panel=_DATA,
    ),
]
Test = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Rows to lock as the test part.", rich_help_panel=_DATA),
]
Valid = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Rows to validate on.", rich_help_panel=_DATA),
]
Groups = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN", help="Rows of one value stay in one part.", rich_help_panel=_DATA
    ),
]
SplitBy = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN",
        help="Train on the rows with its smallest values, lock those with its largest.",
        rich_help_panel=_DATA,
    ),
]
ClassWeights = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Weights of the classes: a table of two columns, the class and its weight.",
        rich_help_panel=_DATA,
    ),
]
ClassSimilarity = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Likeness of the classes: a square table, classes in first column and header.",
        rich_help_panel=_DATA,
    ),
]
CostMatrix = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Cost of decisions: a square table, true classes in first column, decisions in "
        "header.",
        rich_help_panel=_DATA,
    ),
]
Teacher = Annotated[
    Path | None,
    typer.Option(
        metavar="MODEL",
        help="Folder of a saved model whose probabilities are taught.",
        rich_help_panel=_DATA,
    ),
]
Drop = Annotated[
    list[str] | None,
    typer.Option(
        metavar="COLUMN", help="Leave this column out; may be repeated.", rich_help_panel=_DATA
    ),
]
Column = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=KIND",
        help="Kind of a column where the guess is wrong: number, category, text, date or drop; "
        "may be repeated.",
        rich_help_panel=_DATA,
    ),
]
Decimal = Annotated[
    str | None,
    typer.Option(
        metavar="MARK",
        help="The decimal mark, . or , where numbers such as 1.258 can be read either way.",
        rich_help_panel=_DATA,
    ),
]
DateFormat = Annotated[
    str | None,
    typer.Option(
        metavar="FORMAT",
        help="The format of dates, such as %d/%m/%Y, where they can be read either way.",
        rich_help_panel=_DATA,
    ),
]
Missing = Annotated[
    list[str] | None,
    typer.Option(
        metavar="MARK",
        help="A cell that means missing, besides the usual ones; may be repeated.",
        rich_help_panel=_DATA,
    ),
]
Classes = Annotated[
    bool,
    typer.Option(
        "--classes",
        help="Take each number of the target as a class where there are many of them.",
        rich_help_panel=_DATA,
    ),
]
Positive = Annotated[
    str | None,
    typer.Option(
        metavar="LABEL", help="The positive class of two classes.", rich_help_panel=_DATA
    ),
]
Metric = Annotated[
    str | None,
    typer.Option(
        metavar="METRIC",
        help="What decides first: error (the default), accuracy, balanced_error, f1, log_loss, "
        "roc_auc, mcc or another name of scikit-learn's scorers, or expected_cost (the default "
        "with --cost-matrix).",
        autocompletion=complete.metrics,
        rich_help_panel=_BUDGET,
    ),
]
Space = Annotated[
    str,
    typer.Option(
        metavar="SPACE",
        help="Search space: a name that 'autoloss spaces' lists, or a TOML file.",
        autocompletion=complete.spaces,
        rich_help_panel=_BUDGET,
    ),
]
Losses = Annotated[
    list[Path] | None,
    typer.Option(
        "--losses",
        metavar="FILE",
        help="A Python file that declares losses of your own; may be repeated. It is run.",
        rich_help_panel=_BUDGET,
    ),
]
Network = Annotated[
    str,
    typer.Option(
        "--model",
        metavar="FILE.py:NAME",
        help="A network of your own: a function of (n_features, n_outputs) that returns a PyTorch "
        "module. The file is run.",
        rich_help_panel=_BUDGET,
    ),
]
NetworkAgain = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="FILE.py:NAME",
        help="The network of your own that was trained with.",
    ),
]
JudgeNow = Annotated[
    bool,
    typer.Option(
        "--judge-now",
        help="Train no further trials: reach the verdict with those that ended.",
        rich_help_panel=_BUDGET,
    ),
]
Trials = Annotated[
    int,
    typer.Option(min=1, metavar="N", help="Candidates to train at most.", rich_help_panel=_BUDGET),
]
TimeLimit = Annotated[
    float | None,
    typer.Option(
        parser=_duration,
        metavar="DURATION",
        help="Wall time at most, the final trainings included: 90s, 10m, 1h30m.",
        rich_help_panel=_BUDGET,
    ),
]
Seed = Annotated[
    int,
    typer.Option(
        min=0,
        metavar="N",
        help="The same seed and number of trials give the same trials.",
        rich_help_panel=_BUDGET,
    ),
]
Device = Annotated[
    str,
    typer.Option(
        metavar="DEVICE",
        help="cpu, cuda, or auto: the GPU where there is one.",
        autocompletion=complete.devices,
        rich_help_panel=_BUDGET,
    ),
]
Name = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="Name of the study; the data's by default.", rich_help_panel=_OUTPUT
    ),
]
Storage = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Database of the trials; a journal in the study's folder by default.",
        rich_help_panel=_OUTPUT,
    ),
]
TrackingUri = Annotated[
    str | None,
    typer.Option(
        metavar="URI",
        help="Where MLflow logs; by default $MLFLOW_TRACKING_URI, else sqlite:///mlflow.db.",
        rich_help_panel=_OUTPUT,
    ),
]
Tracked = Annotated[
    Track,
    typer.Option(
        "--track",
        help="Which trials MLflow gets: all; those on the front and in the verdict, at the end; "
        "or none.",
        rich_help_panel=_OUTPUT,
    ),
]
Register = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Register what ships in MLflow's model registry, with the alias champion.",
        rich_help_panel=_OUTPUT,
    ),
]
Out = Annotated[
    Path,
    typer.Option(metavar="DIR", help="Folder of the studies.", rich_help_panel=_OUTPUT),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Show rows, split, families, expected time, smallest detectable difference, and the "
        "kind of each column and why; train nothing.",
        rich_help_panel=_OUTPUT,
    ),
]
FailUnless = Annotated[
    Demand | None,
    typer.Option(
        "--fail-unless",
        metavar="better",
        help="Exit with 3 unless the verdict is this.",
        rich_help_panel=_OUTPUT,
    ),
]
Json = Annotated[
    bool,
    typer.Option(
        "--json",
        help="Write one JSON document to standard output, and everything else to standard error.",
        rich_help_panel=_OUTPUT,
    ),
]
Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet",
        "-q",
        callback=hush,
        help="Say nothing but errors and the result.",
        rich_help_panel=_OUTPUT,
    ),
]
Verbose = Annotated[
    bool,
    typer.Option(
        "--verbose",
        "-v",
        callback=chatter,
        help="Say also what takes how long, what is chosen and why, and what is kept where.",
        rich_help_panel=_OUTPUT,
    ),
]
"""`hush` and `chatter` take these two in: a command that declares them needs not read them."""
