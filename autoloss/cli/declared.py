"""The declarations of losses, priors, targets and penalties as plain values, without torch.

The catalogue file beside this module holds the built-in declarations; `write_catalogue` writes it,
and a test compares it with the declarations.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from autoloss.cli.wording import FAMILIES, TASKS, short_source
from autoloss.core.errors import InputError, closest
from autoloss.core.task import TaskKind
from autoloss.losses.parameters import ChoiceParam, FloatParam, Interval, IntParam, Parameter

CATALOGUE = Path(__file__).with_name("catalogue.json")
Kind = Literal["loss", "prior", "target", "penalty"]
_PARAMETERS: Mapping[str, type[Parameter]] = {
    one.__name__: one for one in (FloatParam, IntParam, ChoiceParam)
}


@dataclass(frozen=True)
class Declared:
    """The declaration of a loss, prior, target or penalty.

    Args:
        kind: Loss, prior, target or penalty.
        name: Its name.
        aliases: Its other names, each with its meaning if that is more than the name.
        family: The purpose of a loss, one of `wording.FAMILIES`; empty for the others.
        summary: Its effect, in one line.
        use: When to use it, in one sentence.
        tasks: The kinds of label that it supports.
        parameters: Its parameters.
        meanings: The description of each parameter.
        formulas: Its formulas.
        formula: The sentences with its formulas.
        remarks: The rest of its description.
        readout: How to read the posterior, one of `wording.READOUTS`; for priors, targets and
            penalties one of `wording.AROUND`.
        equals: The settings at which it equals another loss.
        same_as: The loss that is searched in its place.
        needs: Its inputs besides logits and labels, of `wording.NEEDS`.
        head: The last layer that it needs, of `wording.HEADS`; empty for a plain layer.
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
) -> tuple[list[Declared], list[Declared]]:
    """Return the built-in losses, priors, targets and penalties.

    Args:
        family: Only the losses of this family.
        task: Only the declarations that support this kind of label.

    Raises:
        InputError: If there is no such family or kind of label.
    """
    every = [_read(one) for one in json.loads(CATALOGUE.read_text(encoding="utf-8"))]
    losses = (one for one in every if one.kind == "loss")
    found = filtered(losses, family=family, task=task)
    around = [] if family else filtered((one for one in every if one.kind != "loss"), task=task)
    return found, around


def catalogue_text(declared: Iterable[Declared]) -> str:
    """Return declarations as the text of the catalogue."""
    return json.dumps(list(map(_written, declared)), indent=1, ensure_ascii=False) + "\n"


def filtered(
    declared: Iterable[Declared], *, family: str | None = None, task: str | None = None
) -> list[Declared]:
    """Return the declarations of a family, for a kind of label.

    Raises:
        InputError: If there is no such family or kind of label.
    """
    _check("family", family, FAMILIES)
    _check("task", task, TASKS)
    return [
        one
        for one in declared
        if family in (None, one.family) and (task is None or task in one.tasks)
    ]


def _check(name: str, value: str | None, known: Iterable[str]) -> None:
    if value is not None and value not in set(known):
        near = closest(value, known)
        raise InputError(f"{name} must be a known {name}, but got {name}={value!r}{near}")


def _written(declared: Declared) -> dict[str, Any]:
    """Return a declaration as JSON values."""
    parameters = {
        name: {"type": type(one).__name__, **asdict(one)}
        for name, one in declared.parameters.items()
    }
    return {**asdict(declared), "aliases": dict(declared.aliases), "parameters": parameters}


def _read(values: Mapping[str, Any]) -> Declared:
    """Return a declaration from JSON values."""
    parameters = {name: _parameter(dict(one)) for name, one in values["parameters"].items()}
    lists = {name: tuple(one) for name, one in values.items() if isinstance(one, list)}
    return Declared(**{**values, **lists, "parameters": parameters})


def _parameter(values: dict[str, Any]) -> Parameter:
    kind = _PARAMETERS[values.pop("type")]
    if values.get("valid") is not None:
        values["valid"] = Interval(**values["valid"])
    if "choices" in values:
        values["choices"] = tuple(values["choices"])
    return kind(**values)
