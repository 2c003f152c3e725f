"""Tables of all losses, priors, targets and penalties, and the JSON values of an entry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from autoloss.cli.catalogue.docstrings import plain
from autoloss.cli.catalogue.entries import Entry
from autoloss.cli.catalogue.words import (
    COMPONENT_READOUTS,
    FAMILIES,
    KINDS,
    READOUTS,
    short_range,
    task_letters,
)
from autoloss.cli.tables import make_columns, show_pairs
from autoloss.cli.terminal import spelt
from autoloss.losses.parameters import ChoiceParam, FloatParam, Parameter

_HEADER = ("Name", "For", "Parameters", "Read-out", "Source")
_LEGEND = (
    ("For", "b binary, m multiclass, l multi-label, s sequence labels"),
    ("Parameters", "where a search looks (and the default); fixed: at the default"),
)
# Least width of a column that may wrap, in characters.
_LEAST = 12


def show_entries(console: Console, losses: Sequence[Entry], components: Sequence[Entry]) -> None:
    """Print the losses by family, then priors, targets and penalties, in columns that fit."""
    if losses:
        by_family = {
            f"{family}: {words}": [one for one in losses if one.family == family]
            for family, words in FAMILIES.items()
        }
        _show_groups(console, by_family, READOUTS)
    if components:
        by_kind = {
            f"{title}, beside every loss": [one for one in components if one.kind == kind]
            for kind, title in KINDS.items()
        }
        _show_groups(console, by_kind, COMPONENT_READOUTS)
    console.print("autoloss losses NAME describes a loss in full.")


def document(entry: Entry) -> dict[str, Any]:
    """Return an entry as JSON values."""
    return {
        "kind": entry.kind,
        "name": entry.name,
        "aliases": list(entry.aliases),
        "family": entry.family or None,
        "summary": plain(entry.summary),
        "use": plain(entry.use),
        "tasks": list(entry.tasks),
        "parameters": {name: _parameter(one) for name, one in entry.parameters.items()},
        "formulas": list(entry.formulas),
        "readout": entry.readout,
        "equals": list(entry.equals),
        "same_as": entry.same_as,
        "needs": list(entry.needs),
        "head": entry.head,
        "source": entry.source,
    }


def _show_groups(
    console: Console, groups: Mapping[str, Sequence[Entry]], readouts: Mapping[str, str]
) -> None:
    """Print a table for each group, all with the same columns, then a legend."""
    rows = {title: [_row(one) for one in some] for title, some in groups.items() if some}
    every = [_HEADER, *(row for some in rows.values() for row in some)]
    widths, gap = _widths(every, console.width)
    console.print(make_columns(_HEADER, [], widths, gap=gap))
    for title, some in rows.items():
        console.print(Text(title, style="bold italic"), soft_wrap=True)
        cells = [[spelt(cell, console.encoding) for cell in row] for row in some]
        console.print(make_columns((), cells, widths, gap=gap))
        console.print()
    used = {one.readout for some in groups.values() for one in some}
    words = [f"{name}: {text}" for name, text in readouts.items() if name in used]
    show_pairs(console, [*_LEGEND, ("Read-out", "\n".join(words))])
    console.print()


def _widths(rows: Sequence[Sequence[str]], width: int) -> tuple[list[int], int]:
    """Return the widths of the columns, and the space between them."""
    *fixed, source = (
        max(len(line) for row in rows for line in row[place].split("\n"))
        for place in range(len(_HEADER))
    )
    for gap, least in ((2, source), (1, _LEAST)):
        left = width - sum(fixed) - gap * len(fixed)
        if left >= least:
            return [*fixed, min(left, source)], gap
    # Drop the source first; then let the parameters wrap.
    spare = width - sum(fixed) - len(fixed) + 1
    return [*fixed[:2], max(_LEAST, fixed[2] + min(spare, 0)), fixed[3]], 1


def _row(entry: Entry) -> tuple[str, ...]:
    """Return the cells of an entry's row."""
    names = [entry.name, *(f"= {alias}" for alias in entry.aliases)]
    names += [f"like {entry.same_as}"] if entry.same_as else []
    ranges = (f"{name} {short_range(one)}" for name, one in entry.parameters.items())
    return (
        "\n".join(names),
        task_letters(entry.tasks),
        "\n".join(ranges),
        entry.readout,
        entry.short_source,
    )


def _parameter(parameter: Parameter) -> dict[str, Any]:
    common = {"default": parameter.default, "searched": parameter.searched}
    if isinstance(parameter, ChoiceParam):
        return {"choices": list(parameter.choices), **common}
    allowed = str(parameter.allowed) if isinstance(parameter, FloatParam) else None
    found = {"low": parameter.low, "high": parameter.high, "log": parameter.log, **common}
    return found | ({"allowed": allowed} if allowed else {})
