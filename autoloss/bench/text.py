"""Figures and machine in words, for the terminal and for the pages of ``reports/``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def bar_text(figure: Mapping[str, Any]) -> str:
    """Return the bar of a figure in words; empty if it has none."""
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
