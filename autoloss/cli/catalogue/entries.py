"""Entries of the catalogue as plain values, read without torch.

`catalogue.json` holds an entry for each built-in loss, prior, target and penalty. `python -m
benchmarks.losses` writes it, and a test compares it with the declarations.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from autoloss.cli.catalogue.words import FAMILIES, TASKS, short_source
from autoloss.core.errors import InputError, closest
from autoloss.core.task import TaskKind
from autoloss.losses.parameters import ChoiceParam, FloatParam, Interval, IntParam, Parameter

CATALOGUE = Path(__file__).with_name("catalogue.json")
Kind = Literal["loss", "prior", "target", "penalty"]
_PARAMETERS: Mapping[str, type[Parameter]] = {
    one.__name__: one for one in (FloatParam, IntParam, ChoiceParam)
}


@dataclass(frozen=True)
class Entry:
    """The declaration of a loss, prior, target or penalty, as text with docstring markup.

    Args:
        kind: Loss, prior, target or penalty.
        name: Its name.
        aliases: Its other names, each with its meaning if that is more than the name.
        family: The purpose of a loss, one of `words.FAMILIES`; empty for the others.
        summary: Its effect, in one line.
        use: Advice on its use, in one sentence.
        tasks: The kinds of label that it supports.
        parameters: Its parameters.
        meanings: The description of each parameter.
        formulas: Its formulas.
        formula: The sentences with its formulas.
        remarks: The rest of its description.
        readout: The way to read the posterior, one of `words.READOUTS`; for priors, targets and
            penalties one of `words.COMPONENT_READOUTS`.
        equals: The settings at which it equals another loss.
        same_as: The loss that is searched in its place.
        needs: Its inputs besides logits and labels, of `words.NEEDS`.
        head: The last layer that it needs, of `words.HEADS`; empty for a plain layer.
        source: Its source.
    """

    kind: Kind
    name: str
    aliases: Mapping[str, str]
    family: str
    summary: str
    use: str
    tasks: tuple[TaskKind, ...]
    parameters: Mapping[str, Parameter]
    meanings: Mapping[str, str]
    formulas: tuple[str, ...]
    formula: str
    remarks: str
    readout: str
    equals: tuple[str, ...]
    same_as: str | None
    needs: tuple[str, ...]
    head: str
    source: str

    @property
    def short_source(self) -> str:
        """Return the authors and the year of the source."""
        return short_source(self.source)


def stored(
    *, family: str | None = None, task: str | None = None
) -> tuple[list[Entry], list[Entry]]:
    """Return the built-in losses, priors, targets and penalties.

    Args:
        family: Only the losses of this family.
        task: Only the entries that support this kind of label.

    Raises:
        InputError: If there is no such family or kind of label.
    """
    every = [_read(one) for one in json.loads(CATALOGUE.read_text(encoding="utf-8"))]
    losses = (one for one in every if one.kind == "loss")
    found = filtered(losses, family=family, task=task)
    components = (one for one in every if one.kind != "loss")
    return found, [] if family else filtered(components, task=task)


def catalogue_text(entries: Iterable[Entry]) -> str:
    """Return entries as the text of the catalogue file."""
    return json.dumps(list(map(_written, entries)), indent=1, ensure_ascii=False) + "\n"


def filtered(
    entries: Iterable[Entry], *, family: str | None = None, task: str | None = None
) -> list[Entry]:
    """Return the entries of a family, for a kind of label.

    Raises:
        InputError: If there is no such family or kind of label.
    """
    _check("family", family, FAMILIES)
    _check("task", task, TASKS)
    return [
        entry
        for entry in entries
        if family in (None, entry.family) and (task is None or task in entry.tasks)
    ]


def _check(name: str, value: str | None, known: Iterable[str]) -> None:
    if value is not None and value not in set(known):
        near = closest(value, known)
        raise InputError(f"{name} must be a known {name}, but got {name}={value!r}{near}")


def _written(entry: Entry) -> dict[str, Any]:
    """Return an entry as JSON values."""
    parameters = {
        name: {"type": type(one).__name__, **asdict(one)} for name, one in entry.parameters.items()
    }
    return {**asdict(entry), "aliases": dict(entry.aliases), "parameters": parameters}


def _read(values: Mapping[str, Any]) -> Entry:
    """Return an entry from JSON values."""
    parameters = {name: _parameter(dict(one)) for name, one in values["parameters"].items()}
    lists = {name: tuple(one) for name, one in values.items() if isinstance(one, list)}
    return Entry(**{**values, **lists, "parameters": parameters})


def _parameter(values: dict[str, Any]) -> Parameter:
    kind = _PARAMETERS[values.pop("type")]
    if values.get("valid") is not None:
        values["valid"] = Interval(**values["valid"])
    if "choices" in values:
        values["choices"] = tuple(values["choices"])
    return kind(**values)
