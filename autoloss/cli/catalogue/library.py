"""Entries of the catalogue, made from the declarations of the library."""

from __future__ import annotations

from collections.abc import Mapping

from autoloss.cli.catalogue.docstrings import argument_text, formula_text, formulas, remarks
from autoloss.cli.catalogue.entries import Entry, Kind, filtered
from autoloss.core.errors import InputError, closest
from autoloss.losses import (
    PENALTIES,
    PRIORS,
    TARGETS,
    Component,
    Loss,
    LossSpec,
    Penalty,
    Special,
    by_gradient,
    get,
    names,
)
from autoloss.report.words import listed

_COMPONENTS: Mapping[Kind, Mapping[str, Component]] = {
    "prior": PRIORS,
    "target": TARGETS,
    "penalty": PENALTIES,
}


def known_losses(*, family: str | None = None, task: str | None = None) -> list[Entry]:
    """Return the losses in the registry's order, of a family or for a kind of label if given.

    Raises:
        InputError: If there is no such family or kind of label.
    """
    return filtered(map(_of_loss, map(get, names())), family=family, task=task)


def known_components(*, task: str | None = None) -> list[Entry]:
    """Return the priors, targets and penalties, for a kind of label if given.

    Raises:
        InputError: If there is no such kind of label.
    """
    found = (
        _of_component(kind, one) for kind, known in _COMPONENTS.items() for one in known.values()
    )
    return filtered(found, task=task)


def find(name: str) -> Entry:
    """Return the entry of a loss, prior, target or penalty by its name or an alias.

    Raises:
        InputError: If the name is unknown.
    """
    every = [*known_losses(), *known_components()]
    for one in every:
        if name == one.name or name in one.aliases:
            return one
    known = [known for one in every for known in (one.name, *one.aliases)]
    raise InputError(f"NAME must be a known loss, but got NAME={name!r}{closest(name, known)}")


def _of_loss(loss: Loss) -> Entry:
    readout = "proper" if loss.proper else "none" if loss.link is None else "link"
    return Entry(
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


def _of_component(kind: Kind, component: Component) -> Entry:
    doc = component.doc if isinstance(component, Penalty) else ""
    meanings = {name: argument_text(doc, name) for name in component.parameters}
    if isinstance(component, Penalty):
        meanings["weight"] = "The factor of the penalty."
    return Entry(
        kind=kind,
        name=component.name,
        aliases={alias: _settings(fixed) for alias, fixed in (component.aliases or {}).items()},
        family="",
        summary=component.summary,
        use=component.use,
        tasks=component.tasks,
        parameters=component.parameters,
        meanings=meanings,
        formulas=formulas(doc),
        formula=formula_text(doc),
        remarks=remarks(doc),
        readout=component.readable
        if isinstance(component, Penalty)
        else _component_readout(kind, component),
        equals=(),
        same_as=None,
        needs=(*(("class_counts",) if kind == "prior" else ()), *component.needs),
        head="linear",
        source=component.source,
    )


def _component_readout(kind: Kind, component: Component) -> str:
    """Return ``"undone"`` if the posterior can be read beside a component, else ``"lost"``."""
    spec = LossSpec.from_dict({"base": "cross_entropy", kind: component.name})
    return "lost" if spec.readout_kind(2) == "none" else "undone"


def _special(special: Special) -> str:
    """Describe a setting at which a loss equals another."""
    times = f"{special.times:g} times " if special.times != 1.0 else ""
    using = f" ({_settings(special.using)})" if special.using else ""
    return f"{times}{special.equals}{using} at {_settings(special.at)}"


def _settings(values: Mapping[str, float]) -> str:
    """Return parameters and values, such as ``"gamma = 0 and q = 1"``."""
    return listed([f"{name} = {value:g}" for name, value in values.items()])
