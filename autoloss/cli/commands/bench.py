"""``autoloss bench``: how fast candidates train on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from autoloss.cli import options


def bench(
    *,
    together: Annotated[
        int, typer.Option(metavar="N", min=2, help="Candidates to train together.")
    ] = 32,
    device: options.Device = "auto",
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Measure in two minutes how fast candidates train here, compared with usual loops."""
    import json

    from autoloss.bench import BenchPlan, machine, measure
    from autoloss.cli.bench import HEADER, NOTE, figure_row, machine_text
    from autoloss.cli.console import messages, output
    from autoloss.cli.loudness import is_quiet
    from autoloss.cli.running import results_only
    from autoloss.cli.tables import show_table
    from autoloss.core.devices import find_device

    found = find_device(device)
    console = messages()
    with results_only(as_json):
        measured = measure(
            BenchPlan(found, together=together),
            said=(lambda text: None) if is_quiet() else console.print,
        )
        figures = [figure.to_dict() for figure in measured]
        described = machine.describe(found)
    if as_json:
        print(json.dumps({"machine": described, "figures": figures}))
        return
    shown = output()
    show_table(shown, HEADER, [figure_row(figure) for figure in figures])
    if is_quiet():
        return
    shown.print(machine_text(described))
    shown.print(NOTE)
