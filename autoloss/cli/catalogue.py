"""All losses, priors, targets and penalties as two tables, or as a document."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from autoloss.cli.declared import Declared
from autoloss.cli.docstrings import plain
from autoloss.cli.letters import spelt
from autoloss.cli.tables import make_columns, show_pairs
from autoloss.cli.wording import (
    AROUND,
    FAMILIES,
    READOUTS,
    short_range,
    task_letters,
)
from autoloss.losses.parameters import ChoiceParam, FloatParam, Parameter
from autoloss.report.document import SCHEMA_VERSION, finite

_HEADER = ("Name", "For", "Parameters", "Read-out", "Source")
_LEGEND = (
    ("For", "b binary, m multiclass, l multi-label, s sequence labels"),
    ("Parameters", "where a search looks (and the default); fixed: at the default"),
)
_KINDS = {"prior": "Priors", "target": "Targets", "penalty": "Penalties"}
# Characters from which on a source is worth a column.
_LEAST = 12


def show_all(console: Console, losses: Sequence[Declared], parts: Sequence[Declared]) -> None:
    """Print the losses by family, then priors, targets and penalties, in columns that fit."""
    if losses:
        by_family = {
            f"{family}: {words}": [one for one in losses if one.family == family]
            for family, words in FAMILIES.items()
        }
        _show_groups(console, by_family, READOUTS)
    if parts:
        by_kind = {
            f"{title}, beside every loss": [one for one in parts if one.kind == kind]
            for kind, title in _KINDS.items()
        }
        _show_groups(console, by_kind, AROUND)
    console.print("autoloss losses NAME describes a loss in full.")


def document(declared: Declared) -> dict[str, Any]:
    """Return a declaration as JSON values."""
    return {
        "kind": declared.kind,
        "name": declared.name,
        "aliases": list(declared.aliases),
        "family": declared.family or None,
        "summary": plain(declared.summary),
        "use": plain(declared.use),
        "tasks": list(declared.tasks),
        "parameters": {name: _parameter(one) for name, one in declared.parameters.items()},
        "formulas": list(declared.formulas),
        "readout": declared.readout,
        "equals": list(declared.equals),
        "same_as": declared.same_as,
        "needs": list(declared.needs),
        "head": declared.head,
        "source": declared.source,
    }


def to_json(content: Mapping[str, Any]) -> str:
    """Return a document as JSON; NaN and infinities become ``null``."""
    whole = finite({"schema_version": SCHEMA_VERSION, **content})
    return json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False)


def _show_groups(
    console: Console, groups: Mapping[str, Sequence[Declared]], readouts: Mapping[str, str]
) -> None:
    """Print groups below each other in the same columns, and explain their read-outs."""
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
    """Return the widths of the columns that fit, and the space between them."""
    *fixed, source = (
        max(len(line) for row in rows for line in row[place].split("\n"))
        for place in range(len(_HEADER))
    )
    for gap, least in ((2, source), (1, _LEAST)):
        left = width - sum(fixed) - gap * len(fixed)
        if left >= least:
            return [*fixed, min(left, source)], gap
    # The source goes first; then the parameters wrap.
    spare = width - sum(fixed) - len(fixed) + 1
    return [*fixed[:2], max(_LEAST, fixed[2] + min(spare, 0)), fixed[3]], 1


def _row(declared: Declared) -> tuple[str, ...]:
    """Return a declaration as the cells of a row."""
    names = [declared.name, *(f"= {alias}" for alias in declared.aliases)]
    names += [f"like {declared.same_as}"] if declared.same_as else []
    ranges = (f"{name} {short_range(one)}" for name, one in declared.parameters.items())
    return (
        "\n".join(names),
        task_letters(declared.tasks),
        "\n".join(ranges),
        declared.readout,
        declared.short_source,
    )


def _parameter(parameter: Parameter) -> dict[str, Any]:
    common = {"default": parameter.default, "searched": parameter.searched}
    if isinstance(parameter, ChoiceParam):
        return {"choices": list(parameter.choices), **common}
    allowed = str(parameter.allowed) if isinstance(parameter, FloatParam) else None
    found = {"low": parameter.low, "high": parameter.high, "log": parameter.log, **common}
    return found | ({"allowed": allowed} if allowed else {})
