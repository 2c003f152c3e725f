"""``autoloss select``: the trial that another rule names."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autoloss.cli import options
from autoloss.search.rules import RULES


def select(
    study: Annotated[str, typer.Argument(metavar="STUDY", help="A study's name or its folder.")],
    *,
    by: Annotated[
        str | None,
        typer.Option(metavar="RULE", help=f"{', '.join(RULES)}, or the study's metric."),
    ] = None,
    trial: Annotated[
        int | None, typer.Option(metavar="N", help="The number of a trial, in place of a rule.")
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write the loss there as Python that needs torch alone."
        ),
    ] = None,
    ship: Annotated[
        bool,
        typer.Option("--ship", help="Let it ship: model, loss, report and dashboard become its."),
    ] = False,
    from_dashboard: Annotated[
        bool,
        typer.Option(
            "--from-dashboard",
            help="Let the trial ship whose run in MLflow has the tag autoloss.choose.",
        ),
    ] = False,
    because: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Why it ships; recorded with it.")
    ] = None,
    register: options.Register = None,
    tracking_uri: options.TrackingUri = None,
    out: options.Out = options.OUT,
    losses: options.Losses = None,
    as_json: options.Json = False,
) -> None:
    """Show the trial of a finished study that another rule names, and let it ship if wanted."""
    from autoloss.cli import selection
    from autoloss.cli.console import output
    from autoloss.cli.guard import say
    from autoloss.cli.shipping import Order, check_order, ship_trial, wished
    from autoloss.search.finished import read_finished
    from autoloss.search.rules import select_trial

    order = Order(because, register, tracking_uri)
    check_order(order, is_shipped=ship or from_dashboard)
    folder, summary = read_finished(study, out=out)
    rule: str | int
    if from_dashboard:
        rule, order = wished(folder, order, by=by, trial=trial)
    else:
        rule = selection.rule_of(by, trial)
    number = select_trial(summary, rule).number
    if ship or from_dashboard:
        summary = ship_trial(
            folder, summary, rule, order, losses=tuple(losses or ()), as_json=as_json
        )
    if source is not None:
        code = selection.source_of(folder, summary, number, losses=tuple(losses or ()))
        selection.write_source(code, source)
    if as_json:
        print(selection.document(summary, rule, source=source))
        return
    words = ["autoloss", "select", study, "--trial", str(number), "--source", "loss.py"]
    words += ["--out", str(out)] if out != options.OUT else []
    selection.show(output(), summary, rule, code=[] if source else words)
    if source is not None:
        say(f"wrote the loss of trial {number} to {source}.")
