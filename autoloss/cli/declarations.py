"""The declarations of losses, priors and targets as text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from autoloss.errors import InputError, closest
from autoloss.losses import PENALTIES, PRIORS, TARGETS, Loss, Part, Special, get, names
from autoloss.losses.parameters import ChoiceParam, FloatParam, Parameter

_KINDS = {"prior": PRIORS, "target": TARGETS, "penalty": PENALTIES}


@dataclass(frozen=True)
class Declaration:
    """All that one loss, prior or target declares.

    Args:
        facts: Pairs of a title and a text, in the order in which they are shown.
        doc: Its description.
    """

    facts: tuple[tuple[str, str], ...]
    doc: str


def loss_cards() -> list[tuple[str, str]]:
    """Return every loss as its name and what it is: summary, parameters, tasks, source."""
    return [
        (loss.name, _card(loss.summary, loss.parameters, ", ".join(loss.tasks), loss.source))
        for loss in map(get, names())
    ]


def part_cards() -> list[tuple[str, str]]:
    """Return every prior, target and penalty like a loss."""
    return [
        (part.name, _card(part.summary, part.parameters, f"{kind}, with every loss", part.source))
        for kind, parts in _KINDS.items()
        for part in parts.values()
    ]


def find(name: str) -> Declaration:
    """Return the declaration of a loss, prior or target.

    Raises:
        InputError: If there is none of that name.
    """
    if name in names():
        return _of_loss(get(name))
    for kind, parts in _KINDS.items():
        if name in parts:
            return _of_part(kind, parts[name])
    known = [*names(), *(part for parts in _KINDS.values() for part in parts)]
    raise InputError(f"NAME must be a known loss, but got NAME={name!r}{closest(name, known)}")


def range_text(parameter: Parameter) -> str:
    """Return where a search looks, and the value it starts from.

    Examples:
        >>> range_text(FloatParam(0.0, 5.0, default=2.0))
        '0 to 5, default 2'
        >>> range_text(ChoiceParam((1, 2), default=1))
        '1 or 2, default 1'
    """
    if isinstance(parameter, ChoiceParam):
        places = " or ".join(f"{choice:g}" for choice in parameter.choices)
    else:
        scale = " (log)" if parameter.log else ""
        places = f"{parameter.low:g} to {parameter.high:g}{scale}"
    return f"{places}, default {parameter.default:g}"


def _of_loss(loss: Loss) -> Declaration:
    """Return what a loss declares."""
    if loss.proper:
        readout = "softmax: the loss is proper"
    else:
        readout = "a link of its own" if loss.has_exact_readout else "softmax, not exact"
    return Declaration(
        facts=(
            ("Loss", loss.name),
            ("Tasks", ", ".join(loss.tasks)),
            *_parameter_facts(loss.parameters),
            ("Read-out", readout),
            *(("Equals", _special(special)) for special in loss.special),
            *((("Needs", ", ".join(loss.needs)),) if loss.needs else ()),
            ("Source", loss.source),
        ),
        doc=loss.doc,
    )


def _of_part(kind: str, part: Part) -> Declaration:
    """Return what a prior or target declares."""
    return Declaration(
        facts=(
            (kind.capitalize(), part.name),
            *_parameter_facts(part.parameters),
            ("Source", part.source),
        ),
        doc=part.summary,
    )


def _card(summary: str, parameters: Mapping[str, Parameter], tasks: str, source: str) -> str:
    """Return a declaration in a few lines."""
    ranges = (f"{name}: {range_text(one)}" for name, one in parameters.items())
    plain = summary.replace("``", "")
    return "\n".join([plain, *ranges, f"For: {tasks}", f"Source: {source}"])


def _parameter_facts(parameters: Mapping[str, Parameter]) -> tuple[tuple[str, str], ...]:
    """Return each parameter with its range and all that is allowed."""
    return tuple(
        (
            "Parameter",
            f"{name}: {range_text(one)}"
            + (f", allowed {one.allowed}" if isinstance(one, FloatParam) else ""),
        )
        for name, one in parameters.items()
    )


def _special(special: Special) -> str:
    """Return a setting at which a loss is another one."""
    times = f"{special.times:g} times " if special.times != 1.0 else ""
    using = f" ({_settings(special.using)})" if special.using else ""
    return f"{times}{special.equals}{using} at {_settings(special.at)}"


def _settings(values: Mapping[str, float]) -> str:
    """Return parameters and values, such as ``"gamma=0, q=1"``."""
    return ", ".join(f"{name}={value:g}" for name, value in values.items())
