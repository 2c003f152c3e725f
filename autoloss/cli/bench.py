"""The table of ``autoloss bench``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

HEADER = ("Figure", "Bar", "Measured", "Lowest to highest", "Reached")
NOTE = (
    "Same data, network, epochs and steps in every loop, side by side; medians. The tight loop "
    "has the number of threads that suits it; the loop of the tutorials runs without MLflow, "
    "which makes it slower still."
)
_REACHED = {True: "yes", False: "no", None: ""}


def figure_row(figure: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the cells of a figure: its words, bar, median, range, and whether it holds.

    Args:
        figure: `Figure.to_dict` of it.
    """
    value, low, high = (number_text(figure[name], figure["unit"]) for name in _NUMBERS)
    span = f"{low} to {high}" if figure["repeats"] > 1 else ""
    return (figure["what"], bar_text(figure), value, span, _REACHED[figure["holds"]])


def bar_text(figure: Mapping[str, Any]) -> str:
    """Return the bar of a figure; empty without a bar."""
    for name in ("least", "most"):
        if figure[name] is not None:
            return f"at {name} {number_text(figure[name], figure['unit'])}"
    return ""


def number_text(value: float, unit: str) -> str:
    """Return a number with its unit: 3.1×, 4%, 0.41 s."""
    if unit == "share":
        return f"{100 * value:.3g}%" if value < 0.1 else f"{100 * value:.0f}%"
    if unit == "seconds":
        return f"{value:.2g} s" if value < 10 else f"{value:.0f} s"
    return f"{value:.1f}×"


def machine_text(machine: Mapping[str, Any]) -> str:
    """Describe the machine in one line."""
    load = machine["load"]
    running = "" if load is None else f", load {load[0]:.1f}"
    return (
        f"{machine['chip']}, {machine['cores']} cores, {machine['threads']} threads{running}; "
        f"torch {machine['torch']}, {machine['system']}"
    )


_NUMBERS = ("value", "low", "high")
