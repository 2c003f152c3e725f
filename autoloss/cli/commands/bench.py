"""``autoloss bench``: measures the training speed of this machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from autoloss.cli import options

EXAMPLES = (
    "autoloss bench",
    "autoloss bench --together 64 --device cuda --json",
)

HEADER = ("Figure", "Bar", "Measured", "Lowest to highest", "Reached")
NOTE = (
    "All loops use the same data, network, epochs and steps, side by side; figures are medians. "
    "The tight loop runs with the faster number of threads. The loop of the tutorials runs "
    "without MLflow, which would slow it further."
)


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
    """Measure the training speed of this machine, compared with usual loops, in two minutes."""
    import json

    from autoloss.bench import BenchPlan, machine, measure
    from autoloss.bench.text import machine_text
    from autoloss.cli.search_run import results_only
    from autoloss.cli.tables import show_table
    from autoloss.cli.terminal import messages, output
    from autoloss.cli.verbosity import is_quiet
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
    show_table(shown, HEADER, [_row(figure) for figure in figures])
    if is_quiet():
        return
    shown.print(machine_text(described))
    shown.print(NOTE)


def _row(figure: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the cells of a figure: name, bar, median, range, and whether it reaches the bar.

    Args:
        figure: Its `Figure.to_dict`.
    """
    from autoloss.bench.text import bar_text, number_text

    unit = figure["unit"]
    value, low, high = (number_text(figure[name], unit) for name in ("value", "low", "high"))
    span = f"{low} to {high}" if figure["repeats"] > 1 else ""
    reached = {True: "yes", False: "no", None: ""}[figure["holds"]]
    return (figure["what"], bar_text(figure), value, span, reached)
