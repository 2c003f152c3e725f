"""Writes declarations and measurements of losses as Markdown between the markers of a file."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from autoloss.cli.catalogue.description import lines
from autoloss.cli.catalogue.entries import Entry, catalogue_text
from autoloss.cli.catalogue.library import known_components, known_losses
from autoloss.cli.catalogue.words import (
    COMPONENT_READOUTS,
    FAMILIES,
    KINDS,
    READOUTS,
    short_range,
    task_letters,
)
from autoloss.report.words import listed

if TYPE_CHECKING:
    from benchmarks.losses import Measured

README, DOCUMENT = "README.md", "docs/losses.md"
STORED = "autoloss/cli/catalogue/catalogue.json"
_WIDTH = 118
_NONE = "–"
_LEFT_OUT = ("Loss", "Prior", "Target", "Penalty", "Family", "In a space", "In Python")


def write_declared(readme: Path, document: Path) -> None:
    """Write the declarations between the markers of both files."""
    _replace(readme, "losses", readme_table())
    _replace(document, "declared", declared_text())


def stored_text() -> str:
    """Return the text of the catalogue, which `autoloss losses` reads without torch."""
    return catalogue_text([*known_losses(), *known_components()])


def write_catalogue(file: Path) -> None:
    """Write the catalogue that `autoloss losses` reads."""
    file.write_text(stored_text(), encoding="utf-8", newline="\n")


def write_measured(document: Path, found: Mapping[str, Measured]) -> None:
    """Write the measurements between their markers."""
    _replace(document, "measured", measured_text(found))


def between(text: str, name: str) -> str:
    """Return the text between two markers.

    Raises:
        ValueError: If there is no such pair of markers.
    """
    found = _marked(name).search(text)
    if found is None:
        raise ValueError(f"the file must have the markers of {name}, but has none.")
    return found[2]


def readme_table() -> str:
    """Return all losses as a table with their families, parameters and sources."""
    rows = [
        (
            one.name,
            one.family,
            task_letters(one.tasks),
            ", ".join(f"{name} {short_range(p)}" for name, p in one.parameters.items()),
            one.readout,
            one.short_source,
        )
        for one in _by_family()
    ]
    table = _table(("loss", "family", "for", "parameters", "read-out", "source"), rows)
    words = [f"*{name}*: {text}" for name, text in READOUTS.items() if _is_used(name)]
    legend = (
        "For: b binary, m multiclass, l multi-label, s sequence labels. Parameters: where a "
        "search looks (and the default); fixed: at the default. Read-out: "
        f"{'; '.join(words)}."
    )
    parts = known_components()
    beside = [
        f"{title.lower()} ({', '.join(one.name for one in parts if one.kind == kind)})"
        for kind, title in KINDS.items()
    ]
    return f"{table}\n\n{_filled(legend)}\n\n{_filled(f'Beside every loss: {listed(beside)}.')}"


def declared_text() -> str:
    """Return the full declaration of every loss, prior, target and penalty."""
    sections = []
    for family, words in FAMILIES.items():
        some = [one for one in known_losses() if one.family == family]
        sections += [f"## {family.capitalize()}: {words}", *map(_section, some)] if some else []
    parts = known_components()
    for kind, title in KINDS.items():
        sections.append(f"## {title}, beside every loss")
        sections += [_section(one) for one in parts if one.kind == kind]
    used = [f"*{name}*: {text}" for name, text in COMPONENT_READOUTS.items()]
    sections.append(_filled(f"Read-out beside a loss: {'; '.join(used)}."))
    return "\n\n".join(sections)


def measured_text(found: Mapping[str, Measured]) -> str:
    """Return a table of the measurements."""
    header = (
        "loss",
        "two classes",
        "four classes",
        "read-out off by",
        "scale, C = 2",
        "C = 10",
        "C = 100",
        "steepest",
        "bounded",
        "cost",
        "finite",
    )
    rows = [
        (
            f"`{one.name}`",
            *(kind or _NONE for kind in found[one.name].kinds),
            _number(found[one.name].readout_error, ".1g"),
            *(_number(scale, ".3g") for scale in found[one.name].scales),
            _number(found[one.name].slope, ".3g") if found[one.name].is_slope_bounded else "grows",
            "yes" if found[one.name].is_value_bounded else "no",
            f"{found[one.name].cost:.1f}",
            "yes" if found[one.name].is_finite else "no",
        )
        for one in _by_family()
    ]
    version = torch.__version__.partition("+")[0]
    where = f"With torch {version}, on one thread of a CPU."
    return f"{_table(header, rows)}\n\n{where}"


def _section(entry: Entry) -> str:
    """Return an entry under its name."""
    return "\n".join(
        [f"### `{entry.name}`", "", _filled(_code(entry.summary)), "", *_points(entry)]
    )


def _points(entry: Entry) -> Iterator[str]:
    told = dict[str, list[str]]()
    title = ""
    for name, text in lines(entry):
        title = name or title
        told.setdefault(title, []).append(_code(text))
    for title, texts in told.items():
        if title not in _LEFT_OUT:
            shown = f"`{title}`" if title in entry.parameters else title
            yield _filled(f"- {shown}: {'; '.join(texts)}", "  ")


def _by_family() -> list[Entry]:
    order = list(FAMILIES)
    return sorted(known_losses(), key=lambda one: order.index(one.family))


def _is_used(readout: str) -> bool:
    return any(one.readout == readout for one in known_losses())


def _code(text: str) -> str:
    return text.replace("``", "`")


def _filled(text: str, indent: str = "") -> str:
    return textwrap.fill(
        text,
        _WIDTH,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    ruled = ["---"] * len(header)
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, ruled, *rows))


def _number(value: float | None, form: str) -> str:
    """Return a number, a dash for None, and zero without its sign."""
    return _NONE if value is None else f"{value + 0.0:{form}}"


def _marked(name: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- {name}: begin -->\n)(.*?)(\n?<!-- {name}: end -->)", re.DOTALL)


def _replace(path: Path, name: str, content: str) -> None:
    text = path.read_text(encoding="utf-8")
    between(text, name)
    new = _marked(name).sub(lambda found: f"{found[1]}{content}\n{found[3].lstrip()}", text)
    path.write_text(new, encoding="utf-8")
