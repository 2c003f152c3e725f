"""The options of `search` and the options that commands share, each declared once."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from autoloss.cli import complete
from autoloss.cli.duration import seconds
from autoloss.cli.verbosity import set_quiet, set_verbose

OUT = Path("reports")
DATA, BUDGET, OUTPUT = "Data", "Search", "Output"
# The argument, and the options of `search` that only its command has.
_COMMAND = ("data", "dry_run", "fail_unless", "as_json", "quiet", "verbose")


class Demand(StrEnum):
    """The values of `--fail-unless`."""

    BETTER = "better"


class Track(StrEnum):
    """Which trials MLflow gets."""

    ALL = "all"
    PARETO = "pareto"
    OFF = "off"


def search_arguments(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of `search` that the user gave, as arguments of `autoloss.search`.

    Args:
        options: The values of all options by name, None for an option that is not given.
    """
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in options.items()
        if value is not None and name not in _COMMAND
    }


def duration(text: str) -> float:
    """Return the seconds of a duration option."""
    try:
        return seconds(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def number_or_auto(text: str | None) -> Any:
    """Return the number of an option that is a number or ``auto``."""
    if text is None or text == "auto":
        return text
    if not text.isdecimal() or int(text) < 1:
        raise typer.BadParameter(f"must be auto or at least 1, but got {text}.")
    return int(text)


Data = Annotated[
    str,
    typer.Argument(
        help="A CSV, TSV (also .gz), Excel, JSON(L), Parquet, Feather, ARFF or CoNLL file, folder "
        "of images, sklearn:NAME (digits, wine, ...), FILE.py:NAME or MODULE:NAME of a Dataset.",
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
        help="A study's name or folder, or a model's folder.",
        autocompletion=complete.studies,
    ),
]
Target = Annotated[
    str | None,
    typer.Option(
        "--target",
        "-t",
        metavar="COLUMN",
        help="Column to predict; required for all data but sklearn:NAME. For several labels per "
        "row the yes-or-no columns a,b,c or a pattern 'topic_*'.",
        rich_help_panel=DATA,
    ),
]
Test = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Rows to lock for the verdict.", rich_help_panel=DATA),
]
Valid = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Rows to validate on.", rich_help_panel=DATA),
]
Groups = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN", help="Keep rows with the same value together.", rich_help_panel=DATA
    ),
]
SplitBy = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN",
        help="Column of time: train on its smallest values, lock its largest.",
        rich_help_panel=DATA,
    ),
]
ClassWeights = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Weights of the classes, or of labels: a table of two columns, name and weight.",
        rich_help_panel=DATA,
    ),
]
ClassSimilarity = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Similarity of the classes: a square table, classes in first column and header.",
        rich_help_panel=DATA,
    ),
]
CostMatrix = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Cost of decisions: a square table, true classes in first column, decisions in "
        "header (also reject); for several labels a row each, with columns miss and false_alarm.",
        rich_help_panel=DATA,
    ),
]
Drop = Annotated[
    list[str] | None,
    typer.Option(
        metavar="COLUMN", help="Leave this column out; may be repeated.", rich_help_panel=DATA
    ),
]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--column",
        metavar="NAME=KIND",
        help="Kind of a column if the guess is wrong: number, category, text, date or drop; "
        "may be repeated.",
        rich_help_panel=DATA,
    ),
]
Decimal = Annotated[
    str | None,
    typer.Option(
        metavar="MARK",
        help="The decimal mark, . or , if numbers such as 1.258 can be read either way.",
        rich_help_panel=DATA,
    ),
]
DateFormat = Annotated[
    str | None,
    typer.Option(
        metavar="FORMAT",
        help="The format of dates, such as %d/%m/%Y, if they can be read either way.",
        rich_help_panel=DATA,
    ),
]
Missing = Annotated[
    list[str] | None,
    typer.Option(
        metavar="MARK",
        help="Another text that marks a missing cell; may be repeated.",
        rich_help_panel=DATA,
    ),
]
Classes = Annotated[
    bool,
    typer.Option(
        "--classes",
        help="Treat each number of the target as a class, even if there are many numbers.",
        rich_help_panel=DATA,
    ),
]
Positive = Annotated[
    str | None,
    typer.Option(metavar="LABEL", help="The positive class of two.", rich_help_panel=DATA),
]
Lock = Annotated[
    bool,
    typer.Option(
        "--lock",
        help="Lock a fifth of the rows for the verdict, also below 10,000 rows.",
        rich_help_panel=DATA,
    ),
]
Metric = Annotated[
    str | None,
    typer.Option(
        metavar="METRIC",
        help="The metric that decides: error (the default), accuracy, balanced_error, f1, "
        "log_loss, roc_auc, mcc or another name of scikit-learn's scorers, expected_cost (the "
        "default with --cost-matrix), or FILE.py:NAME, your own function.",
        autocompletion=complete.metrics,
        rich_help_panel=BUDGET,
    ),
]
Space = Annotated[
    str,
    typer.Option(
        metavar="SPACE",
        help="Search space: a name that 'autoloss spaces' lists, or a TOML file.",
        autocompletion=complete.spaces,
        rich_help_panel=BUDGET,
    ),
]
Losses = Annotated[
    list[Path] | None,
    typer.Option(
        "--losses",
        metavar="FILE",
        help="A Python file that declares your own losses; may be repeated. It is executed.",
        rich_help_panel=BUDGET,
    ),
]
Metrics = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FILE.py:NAME",
        help="A custom metric, which every trial has; may be repeated. The file is executed.",
        rich_help_panel=BUDGET,
    ),
]
Network = Annotated[
    str,
    typer.Option(
        "--model",
        metavar="FILE.py:NAME",
        help="Your own network: a function of (n_features, n_outputs), for sequences of (n_codes, "
        "n_features, n_outputs), that returns a PyTorch module. The file is executed.",
        rich_help_panel=BUDGET,
    ),
]
NetworkAgain = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="FILE.py:NAME",
        help="Your own network that trained the model.",
    ),
]
JudgeNow = Annotated[
    bool,
    typer.Option(
        "--judge-now",
        help="Train no further trials: reach the verdict with the finished trials.",
        rich_help_panel=BUDGET,
    ),
]
Trials = Annotated[
    int,
    typer.Option(min=1, metavar="N", help="Maximum number of trials.", rich_help_panel=BUDGET),
]
TimeLimit = Annotated[
    float | None,
    typer.Option(
        parser=duration,
        metavar="DURATION",
        help="Maximum wall time, including the final training runs: 90s, 10m, 1h30m.",
        rich_help_panel=BUDGET,
    ),
]
Seed = Annotated[
    int,
    typer.Option(
        min=0,
        metavar="N",
        help="The same seed and number of trials give the same trials.",
        rich_help_panel=BUDGET,
    ),
]
Device = Annotated[
    str,
    typer.Option(
        metavar="DEVICE",
        help="cpu, cuda, or auto: the GPU if there is one.",
        autocompletion=complete.devices,
        rich_help_panel=BUDGET,
    ),
]
Workers = Annotated[
    str,
    typer.Option(
        metavar="N",
        help="Worker processes on a CPU; auto: one per free core.",
        callback=number_or_auto,
        rich_help_panel=BUDGET,
    ),
]
Name = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="Name of the study; the data's by default.", rich_help_panel=OUTPUT
    ),
]
Storage = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Database of the trials; a journal in the study's folder by default.",
        rich_help_panel=OUTPUT,
    ),
]
TrackingUri = Annotated[
    str | None,
    typer.Option(
        metavar="URI",
        help="Where MLflow logs; by default $MLFLOW_TRACKING_URI, else sqlite:///mlflow.db.",
        rich_help_panel=OUTPUT,
    ),
]
Tracked = Annotated[
    Track,
    typer.Option(
        "--track",
        help="The trials that MLflow gets: all; at the end, those on the front and in the "
        "verdict; or none.",
        rich_help_panel=OUTPUT,
    ),
]
Register = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Register the winner in MLflow's model registry, with the alias champion.",
        rich_help_panel=OUTPUT,
    ),
]
Out = Annotated[
    Path,
    typer.Option(metavar="DIR", help="Folder of the studies.", rich_help_panel=OUTPUT),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Show rows, split, families, expected time, smallest detectable difference, and the "
        "kind of each column with the reason; train nothing.",
        rich_help_panel=OUTPUT,
    ),
]
FailUnless = Annotated[
    Demand | None,
    typer.Option(
        "--fail-unless",
        metavar="better",
        help="Exit with 3 unless the verdict is this.",
        rich_help_panel=OUTPUT,
    ),
]
Json = Annotated[
    bool,
    typer.Option(
        "--json",
        help="Write one JSON document to standard output, and everything else to standard error.",
        rich_help_panel=OUTPUT,
    ),
]
Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet",
        "-q",
        callback=set_quiet,
        help="Show only errors and the result.",
        rich_help_panel=OUTPUT,
    ),
]
Verbose = Annotated[
    bool,
    typer.Option(
        "--verbose",
        "-v",
        callback=set_verbose,
        help="Also show timings, choices with their reasons, and the paths of files.",
        rich_help_panel=OUTPUT,
    ),
]
"""A command that declares `Quiet` and `Verbose` need not read them: their callbacks act."""
