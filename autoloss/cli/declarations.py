"""What losses, priors, targets and penalties declare, as text with the marks of docstrings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from autoloss.cli.docstrings import argument_text, formula_text, formulas, remarks
from autoloss.cli.wording import FAMILIES, TASKS, joined, short_source
from autoloss.errors import InputError, closest
from autoloss.losses import (
    PENALTIES,
    PRIORS,
    TARGETS,
    Loss,
    LossSpec,
    Parameter,
    Part,
    Penalty,
    Special,
    by_gradient,
    get,
    names,
)
from autoloss.losses.loss import Head
from autoloss.losses.readable import readout_of
from autoloss.task import TaskKind

Kind = Literal["loss", "prior", "target", "penalty"]
_PARTS: Mapping[Kind, Mapping[str, Part]] = {
    "prior": PRIORS,
    "target": TARGETS,
    "penalty": PENALTIES,
}
_COUNTS: Mapping[Kind, tuple[str, ...]] = {"prior": ("class_counts",), "target": (), "penalty": ()}


@dataclass(frozen=True)
class Declared:
    """All that one loss, prior, target or penalty declares.

    Args:
        kind: What it is.
        name: Its name.
        aliases: Other names of it, each with what it stands for, if that is more than the name.
        family: What a loss is for, one of `wording.FAMILIES`; empty for the others.
        summary: What it does, one line.
        use: When to use it, one sentence.
        tasks: The kinds of label that it has a form for.
        parameters: Its parameters.
        meanings: What its description says of them.
        formulas: Its formulas.
        formula: The sentences that have them.
        remarks: What else its description says.
        readout: How the posterior is read, one of `wording.READOUTS`; of what stands around a
            loss, one of `wording.AROUND`.
        equals: The settings at which it is another loss.
        same_as: The loss that is searched in its place.
        needs: What it must have besides logits and labels, of `wording.NEEDS`.
        head: The last layer that it is made for, of `wording.HEADS` where it is not a plain one.
        source: Where it comes from.
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
    head: Head
    source: str

    @property
    def short_source(self) -> str:
        """Return the authors and the year of the source."""
        return short_source(self.source)


def known_losses(*, family: str | None = None, task: str | None = None) -> list[Declared]:
    """Return all losses, or those of a family or for a kind of label, in the registry's order.

    Raises:
        InputError: If there is no such family or kind of label.
    """
    _check("family", family, FAMILIES)
    _check("task", task, TASKS)
    found = (_of_loss(get(name)) for name in names())
    return [one for one in found if family in (None, one.family) and _serves(one, task)]


def known_parts(*, task: str | None = None) -> list[Declared]:
    """Return all priors, targets and penalties, or those with a form for a kind of label.

    Raises:
        InputError: If there is no such kind of label.
    """
    _check("task", task, TASKS)
    found = (_of_part(kind, part) for kind, parts in _PARTS.items() for part in parts.values())
    return [one for one in found if _serves(one, task)]


def find(name: str) -> Declared:
    """Return what a loss, prior, target or penalty declares, by its name or another name of it.

    Raises:
        InputError: If there is none of that name.
    """
    every = [*known_losses(), *known_parts()]
    for one in every:
        if name == one.name or name in one.aliases:
            return one
    known = [known for one in every for known in (one.name, *one.aliases)]
    raise InputError(f"NAME must be a known loss, but got NAME={name!r}{closest(name, known)}")


def _serves(declared: Declared, task: str | None) -> bool:
    return task is None or task in declared.tasks


def _check(name: str, value: str | None, known: Iterable[str]) -> None:
    if value is not None and value not in set(known):
        near = closest(value, known)
        raise InputError(f"{name} must be a known {name}, but got {name}={value!r}{near}")


def _of_loss(loss: Loss) -> Declared:
    readout = "proper" if loss.proper else "none" if loss.link is None else "link"
    return Declared(
        kind="loss",
        name=loss.name,
        aliases=dict.fromkeys(loss.aliases, ""),
        family=loss.family,
        summary=loss.summary,
        use=loss.use,
        tasks=loss.tasks,
        parameters=loss.parameters,
        meanings={name: argument_text(loss.doc, name) for name in loss.parameters},
        formulas=formulas(loss.doc),
        formula=formula_text(loss.doc),
        remarks=remarks(loss.doc),
        readout="slopes" if loss.link is by_gradient else readout,
        equals=tuple(map(_special, loss.special)),
        same_as=loss.same_as,
        needs=loss.needs,
        head=loss.head,
        source=loss.source,
    )


def _of_part(kind: Kind, part: Part) -> Declared:
    doc = part.doc if isinstance(part, Penalty) else ""
    meanings = {name: argument_text(doc, name) for name in part.parameters}
    if isinstance(part, Penalty):
        meanings["weight"] = "What the penalty is multiplied with."
    return Declared(
        kind=kind,
        name=part.name,
        aliases={alias: _settings(fixed) for alias, fixed in (part.aliases or {}).items()},
        family="",
        summary=part.summary,
        use=part.use,
        tasks=part.tasks,
        parameters=part.parameters,
        meanings=meanings,
        formulas=formulas(doc),
        formula=formula_text(doc),
        remarks=remarks(doc),
        readout=part.readable if isinstance(part, Penalty) else _around(kind, part),
        equals=(),
        same_as=None,
        needs=(*_COUNTS[kind], *part.needs),
        head="linear",
        source=part.source,
    )


def _around(kind: Kind, part: Part) -> str:
    """Return whether what a prior or target does to the posterior can be undone."""
    spec = LossSpec.from_dict({"base": "cross_entropy", kind: part.name})
    return "lost" if readout_of(spec, 2) == "none" else "undone"


def _special(special: Special) -> str:
    """Return a setting at which a loss is another one."""
    times = f"{special.times:g} times " if special.times != 1.0 else ""
    using = f" ({_settings(special.using)})" if special.using else ""
    return f"{times}{special.equals}{using} at {_settings(special.at)}"


def _settings(values: Mapping[str, float]) -> str:
    """Return parameters and values, such as ``"gamma = 0 and q = 1"``."""
    return joined(f"{name} = {value:g}" for name, value in values.items())
