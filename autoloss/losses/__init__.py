"""Losses: one file each, combined with priors, targets and penalties; a value per example.

Names are loaded when they are first used, so that parameters can be read without torch.

Floor 2. Imports from floor 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoloss.core.lazy import make_lazy

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

make_lazy(__name__)
