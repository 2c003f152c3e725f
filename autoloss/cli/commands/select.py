"""``autoloss select``: ships another trial, named by a rule."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autoloss.cli import complete, options
from autoloss.verdict.rules import RULES

EXAMPLES = (
    "autoloss select churn --by calibration --dry-run",
    "autoloss select churn --trial 17 --because 'fewer false alarms'",
    "autoloss select churn --by error --dry-run --source loss.py",
)


def select(
    study: options.StudyName,
    *,
    by: Annotated[
        str | None,
        typer.Option(
            metavar="RULE",
            help=f"{', '.join(RULES)}, the study's metric, or a custom metric.",
            autocompletion=complete.rules,
        ),
    ] = None,
    trial: Annotated[
        int | None, typer.Option(metavar="N", help="The number of a trial, in place of a rule.")
    ] = None,
    from_dashboard: Annotated[
        bool,
        typer.Option(
            "--from-dashboard",
            help="The trial whose run in MLflow has the tag autoloss.choose.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the trial without shipping it.")
    ] = False,
    because: Annotated[
        str | None, typer.Option(metavar="TEXT", help="The reason, which is recorded.")
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write the loss as Python code that needs only torch; with --dry-run, write "
            "nothing else.",
        ),
    ] = None,
    register: options.Register = None,
    tracking_uri: options.TrackingUri = None,
    out: options.Out = options.OUT,
    losses: options.Losses = None,
    metrics: options.Metrics = None,
    model: options.NetworkAgain = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Ship another trial of a finished study, named by a rule; --dry-run only shows it.

    Model, loss, report and dashboard follow; the study keeps the previous choice and its reason.
    """
    from autoloss.cli import selection
    from autoloss.cli.terminal import output
    from autoloss.cli.verbosity import note
    from autoloss.search.folders import read_finished
    from autoloss.verdict.rules import select_trial

    shipping = selection.ShippingOptions(because, register, tracking_uri)
    selection.check_shipping(shipping, dry_run=dry_run, from_dashboard=from_dashboard)
    rule = None if from_dashboard else selection.rule_of(by, trial)
    folder, before = read_finished(study, out=out)
    if rule is None:
        rule, shipping = selection.chosen_in_dashboard(folder, shipping, by=by, trial=trial)
    number, own = select_trial(before, rule).number, tuple(losses or ())
    summary = before
    if source is not None:
        # A loss without code or a file that cannot be written ends the command before it ships.
        selection.write_source(selection.source_of(folder, before, number, losses=own), source)
    if not dry_run:
        summary = selection.ship_trial(
            folder,
            before,
            rule,
            shipping,
            losses=own,
            metrics=tuple(metrics or ()),
            model=model,
            as_json=as_json,
        )
        if source is not None:
            # The read-out is known only now.
            code = selection.source_of(folder, summary, number, losses=own)
            selection.write_source(code, source)
    if as_json:
        print(selection.document(summary, rule, source=source), end="")
        return
    following = selection.commands_after(
        study,
        number,
        out=["--out", str(out)] if out != options.OUT else [],
        dry_run=dry_run and number != before.recommended,
        has_code=source is not None,
    )
    selection.show(output(), before, summary, rule, next_commands=following)
    if source is not None:
        note(f"wrote the loss of trial {number} to {source}.")
