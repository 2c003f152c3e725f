"""What losses, priors, targets and penalties declare, as text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from autoloss.cli.docstrings import argument_text, formula_text, formulas, plain, remarks
from autoloss.cli.wording import HEADS, NEEDS, joined, short_source
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
from autoloss.losses.readable import readout_of
from autoloss.task import TaskKind

Kind = Literal["loss", "prior", "target", "penalty"]
_PARTS: Mapping[Kind, Mapping[str, Part]] = {
    "prior": PRIORS,
    "target": TARGETS,
    "penalty": PENALTIES,
}
_COUNTS: Mapping[Kind, tuple[str, ...]] = {"prior": ("class_counts",), "target": (), "penalty": ()}
_AROUND = {"closed": "exact", "slopes": "slopes", "none": "none"}


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
        needs: What it must have besides logits, labels and a plain last layer.
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
    source: str

    @property
    def short_source(self) -> str:
        """Return the authors and the year of the source."""
        return short_source(self.source)


def declared_losses(*, task: TaskKind | None = None) -> list[Declared]:
    """Return all losses, or those that can train a kind of label, in the registry's order."""
    return [_of_loss(get(name)) for name in names(task)]


def declared_parts(*, task: TaskKind | None = None) -> list[Declared]:
    """Return all priors, targets and penalties, or those with a form for a kind of label."""
    return [
        _of_part(kind, part)
        for kind, parts in _PARTS.items()
        for part in parts.values()
        if task is None or task in part.tasks
    ]


def find(name: str) -> Declared:
    """Return what a loss, prior, target or penalty declares, by its name or another name of it.

    Raises:
        InputError: If there is none of that name.
    """
    every = [*declared_losses(), *declared_parts()]
    for one in every:
        if name == one.name or name in one.aliases:
            return one
    known = [known for one in every for known in (one.name, *one.aliases)]
    raise InputError(f"NAME must be a known loss, but got NAME={name!r}{closest(name, known)}")


def _of_loss(loss: Loss) -> Declared:
    readout = "proper" if loss.proper else "none" if loss.link is None else "link"
    needs = [NEEDS[need] for need in loss.needs]
    return Declared(
        kind="loss",
        name=loss.name,
        aliases=dict.fromkeys(loss.aliases, ""),
        family=loss.family,
        summary=plain(loss.summary),
        use=plain(loss.use),
        tasks=loss.tasks,
        parameters=loss.parameters,
        meanings={name: argument_text(loss.doc, name) for name in loss.parameters},
        formulas=formulas(loss.doc),
        formula=formula_text(loss.doc),
        remarks=remarks(loss.doc),
        readout="slopes" if loss.link is by_gradient else readout,
        equals=tuple(map(_special, loss.special)),
        same_as=loss.same_as,
        needs=(*([HEADS[loss.head]] if loss.head in HEADS else []), *needs),
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
        summary=plain(part.summary),
        use=plain(part.use),
        tasks=part.tasks,
        parameters=part.parameters,
        meanings=meanings,
        formulas=formulas(doc),
        formula=formula_text(doc),
        remarks=remarks(doc),
        # Beside a base that depends on all probabilities, as the hardest case.
        readout=_AROUND[readout_of(LossSpec(**{"base": "brier", kind: part.name}), 10)],
        equals=(),
        same_as=None,
        needs=tuple(NEEDS[need] for need in (*_COUNTS[kind], *part.needs)),
        source=part.source,
    )


def _special(special: Special) -> str:
    """Return a setting at which a loss is another one."""
    times = f"{special.times:g} times " if special.times != 1.0 else ""
    using = f" ({_settings(special.using)})" if special.using else ""
    return f"{times}{special.equals}{using} at {_settings(special.at)}"


def _settings(values: Mapping[str, float]) -> str:
    """Return parameters and values, such as ``"gamma = 0 and q = 1"``."""
    return joined(f"{name} = {value:g}" for name, value in values.items())
