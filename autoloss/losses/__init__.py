"""Losses: one file each, combined with priors, targets and penalties; a value per example.

Names are loaded when they are first used, so that parameters can be read without torch.

Floor 2. Imports from floor 1.
"""

from __future__ import annotations

import importlib
import sys
import types
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autoloss.losses.certificate import Certificate, NullVector, certify, null_vector
    from autoloss.losses.component import Component, Penalty, Scored
    from autoloss.losses.components import (
        PENALTIES,
        PRIORS,
        TARGETS,
        TEMPERATURE,
        all_parameters,
        parameter,
        parameters_of,
    )
    from autoloss.losses.context import LossContext
    from autoloss.losses.contract import check_contract
    from autoloss.losses.declare import declare, declare_penalty
    from autoloss.losses.facts import ClassFacts
    from autoloss.losses.from_gradients import by_gradient
    from autoloss.losses.labels import is_label, pick
    from autoloss.losses.loss import Loss, Special
    from autoloss.losses.module import LossModule
    from autoloss.losses.objective import Objective
    from autoloss.losses.own import load_losses, register
    from autoloss.losses.parameters import ChoiceParam, FloatParam, Interval, IntParam, Parameter
    from autoloss.losses.registry import get, names
    from autoloss.losses.spec import LossSpec
    from autoloss.losses.spec_check import find_mistakes
    from autoloss.losses.targets import Mix

_HOMES = {
    "Certificate": "certificate",
    "ChoiceParam": "parameters",
    "ClassFacts": "facts",
    "FloatParam": "parameters",
    "IntParam": "parameters",
    "Interval": "parameters",
    "Loss": "loss",
    "LossContext": "context",
    "LossModule": "module",
    "LossSpec": "spec",
    "Mix": "targets",
    "NullVector": "certificate",
    "Objective": "objective",
    "PENALTIES": "components",
    "PRIORS": "components",
    "Parameter": "parameters",
    "Component": "component",
    "Penalty": "component",
    "Scored": "component",
    "Special": "loss",
    "TARGETS": "components",
    "TEMPERATURE": "components",
    "all_parameters": "components",
    "by_gradient": "from_gradients",
    "certify": "certificate",
    "check_contract": "contract",
    "declare": "declare",
    "declare_penalty": "declare",
    "find_mistakes": "spec_check",
    "get": "registry",
    "is_label": "labels",
    "load_losses": "own",
    "names": "registry",
    "null_vector": "certificate",
    "parameter": "components",
    "parameters_of": "components",
    "pick": "labels",
    "register": "own",
}

__all__ = [
    "PENALTIES",
    "PRIORS",
    "TARGETS",
    "TEMPERATURE",
    "Certificate",
    "ChoiceParam",
    "ClassFacts",
    "Component",
    "FloatParam",
    "IntParam",
    "Interval",
    "Loss",
    "LossContext",
    "LossModule",
    "LossSpec",
    "Mix",
    "NullVector",
    "Objective",
    "Parameter",
    "Penalty",
    "Scored",
    "Special",
    "all_parameters",
    "by_gradient",
    "certify",
    "check_contract",
    "declare",
    "declare_penalty",
    "find_mistakes",
    "get",
    "is_label",
    "load_losses",
    "names",
    "null_vector",
    "parameter",
    "parameters_of",
    "pick",
    "register",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)


class _Package(types.ModuleType):
    """This package, in which `declare` is the function even after the module is imported."""

    @property
    def declare(self) -> Any:
        """Return `autoloss.losses.declare.declare`."""
        return importlib.import_module("autoloss.losses.declare").declare

    @declare.setter
    def declare(self, value: object) -> None:
        """Ignore the module that its import sets here; it stays in `sys.modules`."""


sys.modules[__name__].__class__ = _Package
