"""``autoloss search``: trains many candidates, and judges the best against cross-entropy."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from autoloss.cli import (
    cost_options,
    executor_options,
    image_options,
    label_options,
    ood_options,
    options,
    teacher_options,
)

EXAMPLES = (
    "autoloss search churn.csv --target churned",
    "autoloss search churn.csv -t churned --time-limit 10m --dry-run",
    "autoloss search news.csv -t 'topic_*' --metric f1_macro",
    "autoloss search wnut.conll --tokens 0 -t 1 --metric entity_f1",
    "autoloss search sklearn:digits --trials 64 --json > digits.json",
)


class Policy(StrEnum):
    """Which model ships."""

    VERDICT = "verdict"
    BEST = "best"
    BLEND = "blend"


Ships = Annotated[
    Policy,
    typer.Option(
        "--ship",
        help="The model to ship: a blend of finalists; the recommended loss; "
        "or the admissible finalist with the lowest log loss. The report compares all three.",
        rich_help_panel=options.OUTPUT,
    ),
]
Refits = Annotated[
    bool | None,
    typer.Option(
        "--refit/--no-refit",
        help="Retrain the shipped model on all rows, including locked rows. The default if the "
        "training runs saw less than two thirds of the rows and it takes little time.",
        rich_help_panel=options.OUTPUT,
    ),
]
CodeLength = Annotated[
    bool,
    typer.Option(
        "--code-length",
        help="Report the code lengths of the training labels, two-part and prequential, which "
        "trains both losses on growing parts of the rows.",
        rich_help_panel=options.OUTPUT,
    ),
]

Examples = Annotated[
    bool,
    typer.Option(
        "--examples/--no-examples",
        help="Show words or images of a few rows on which the finalists disagree in the report.",
        rich_help_panel=options.OUTPUT,
    ),
]


def search(
    data: options.Data,
    *,
    target: options.Target = None,
    labels_in: label_options.LabelsIn = "columns",
    label_separator: label_options.LabelSeparator = None,
    label_decision: label_options.LabelDecision = "metric",
    tokens: label_options.TokensColumn = None,
    constrained: label_options.Constrained = False,
    images: image_options.Images = None,
    image_size: image_options.ImageSize = None,
    skip_bad: image_options.SkipBad = False,
    features: image_options.Features = None,
    test: options.Test = None,
    valid: options.Valid = None,
    ood: ood_options.Ood = None,
    groups: options.Groups = None,
    split_by: options.SplitBy = None,
    drop: options.Drop = None,
    columns: options.Columns = None,
    decimal: options.Decimal = None,
    date_format: options.DateFormat = None,
    missing: options.Missing = None,
    classes: options.Classes = False,
    positive: options.Positive = None,
    lock: options.Lock = False,
    class_weights: options.ClassWeights = None,
    class_similarity: options.ClassSimilarity = None,
    cost_matrix: options.CostMatrix = None,
    cost_column: cost_options.CostColumn = None,
    teacher: teacher_options.Teacher = None,
    trust_pickle: teacher_options.TrustPickle = False,
    metric: options.Metric = None,
    space: options.Space = "default",
    losses: options.Losses = None,
    metrics: options.Metrics = None,
    model: options.Network = "auto",
    trials: options.Trials = 128,
    time_limit: options.TimeLimit = None,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    workers: options.Workers = "auto",
    executor: executor_options.Executor = "local",
    address: executor_options.Address = None,
    ship: Ships = Policy.BLEND,
    refit: Refits = None,
    code_length: CodeLength = False,
    examples: Examples = True,
    name: options.Name = None,
    out: options.Out = options.OUT,
    storage: options.Storage = None,
    tracking_uri: options.TrackingUri = None,
    track: options.Tracked = options.Track.ALL,
    register: options.Register = None,
    dry_run: options.DryRun = False,
    fail_unless: options.FailUnless = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Find the loss that should train a classifier on DATA, and compare it with cross-entropy."""
    arguments = options.search_arguments(locals())
    # Imports follow, because they join the locals.
    from autoloss.executors.fork_server import begun_early

    # Workers load torch while this process does.
    with begun_early(not dry_run and arguments["workers"] != 1 and executor != "ray"):
        from autoloss.cli.search_run import make_plan, require, results_only, run, show, show_plan

        if dry_run:
            from autoloss.experiment.request import OUTPUT, Request
            from autoloss.experiment.starting import check_start

            check_start(Request.of(arguments))
            with results_only(as_json):
                planned = {name: value for name, value in arguments.items() if name not in OUTPUT}
                plan = make_plan(lambda: _api().plan(data, **planned))
            show_plan(plan, as_json=as_json)
            return
        with results_only(as_json):
            result = run(
                lambda progress: _api().search(data, **arguments, progress=progress),
                judge=lambda study, progress: _api().resume(
                    study, out=out, storage=storage, judge_now=True, progress=progress
                ),
                out=out,
                storage=storage,
            )
    show(result, out=out, as_json=as_json)
    require(result, fail_unless)


def _api() -> Any:
    """Return the library; loading it takes a second, which passes under the bar."""
    from autoloss import api

    return api
