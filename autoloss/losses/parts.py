"""What stands around the base: prior, target, penalty, and the temperature in training."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from autoloss.errors import InputError, closest
from autoloss.losses.parameters import FloatParam, Interval, Parameter
from autoloss.losses.registry import discover

_INFINITY = float("inf")


@dataclass(frozen=True)
class Part:
    """A prior, target or penalty.

    Args:
        name: Its name.
        summary: What it does, one line.
        source: Where it comes from.
        parameters: Its parameters; every one has 0 as the value at which the part does nothing.
    """

    name: str
    summary: str
    source: str
    parameters: Mapping[str, FloatParam]


def _by_name(*parts: Part) -> Mapping[str, Part]:
    """Return parts by name, read-only."""
    return MappingProxyType({part.name: part for part in parts})


PRIORS = _by_name(
    Part(
        name="class_weight",
        summary="Weights n_c ** -power on the examples of class c, of mean 1 over the data.",
        source="King and Zeng 2001, Logistic Regression in Rare Events Data, Polit. Anal. 9(2)",
        parameters={"power": FloatParam(0.0, 1.5, default=0.5, valid=Interval(0.0, _INFINITY))},
    ),
    Part(
        name="logit_adjust",
        summary="Adds tau * log(share of the class) to the logits in training.",
        source="Menon et al. 2021, Long-Tail Learning via Logit Adjustment, arXiv:2007.07314",
        parameters={"tau": FloatParam(0.0, 2.0, default=1.0, valid=Interval(0.0, _INFINITY))},
    ),
)
TARGETS = _by_name(
    Part(
        name="smoothing",
        summary="Labels (1 - epsilon) * one-hot + epsilon / C.",
        source="Szegedy et al. 2016, Rethinking the Inception Architecture, arXiv:1512.00567",
        parameters={
            "epsilon": FloatParam(0.0, 0.3, default=0.05, valid=Interval(0.0, 1.0, open_high=True))
        },
    ),
)
PENALTIES: Mapping[str, Part] = _by_name()
TEMPERATURE = FloatParam(
    0.1, 10.0, default=1.0, log=True, valid=Interval(0.0, _INFINITY, open_low=True)
)
KINDS: Mapping[str, Mapping[str, Part]] = MappingProxyType(
    {"prior": PRIORS, "target": TARGETS, "penalty": PENALTIES}
)


@functools.cache
def parameters_of(name: str) -> Mapping[str, Parameter]:
    """Return the parameters of a base, prior, target or penalty by dotted name.

    Examples:
        >>> sorted(parameters_of("bi_tempered"))
        ['bi_tempered.t1', 'bi_tempered.t2']
    """
    owners: list[Mapping[str, Parameter]] = [
        *(loss.parameters for base, loss in discover().items() if base == name),
        *(parts[name].parameters for parts in KINDS.values() if name in parts),
    ]
    dotted = {f"{name}.{key}": value for owned in owners for key, value in owned.items()}
    return MappingProxyType(dotted)


@functools.cache
def all_parameters() -> Mapping[str, Parameter]:
    """Return every parameter of a loss by the key it has in TOML, in Optuna and in the trials."""
    owners = [*discover(), *(name for parts in KINDS.values() for name in parts)]
    dotted = {key: value for owner in owners for key, value in parameters_of(owner).items()}
    return MappingProxyType({"temperature": TEMPERATURE, **dotted})


def parameter(key: str) -> Parameter:
    """Return the parameter of a dotted key.

    Raises:
        InputError: If there is none; the message has the closest known key.

    Examples:
        >>> parameter("logit_adjust.tau").default
        1.0
    """
    known = all_parameters()
    if key not in known:
        raise InputError(
            f"key must be a known parameter, but got key={key!r}{closest(key, known)}"
        )
    return known[key]
