"""Losses: declared one a file, combined with priors and targets, called per example."""

from __future__ import annotations

from autoloss.losses.certificate import NullVector, null_vector
from autoloss.losses.context import LossContext
from autoloss.losses.declare import declare
from autoloss.losses.loss import Loss, Special
from autoloss.losses.module import LossModule
from autoloss.losses.objective import Objective
from autoloss.losses.parameters import ChoiceParam, FloatParam, Interval, IntParam, Parameter
from autoloss.losses.parts import (
    PENALTIES,
    PRIORS,
    TARGETS,
    TEMPERATURE,
    Part,
    all_parameters,
    parameter,
    parameters_of,
)
from autoloss.losses.registry import get, names
from autoloss.losses.spec import LossSpec
from autoloss.losses.spec_check import find_mistakes

__all__ = [
    "PENALTIES",
    "PRIORS",
    "TARGETS",
    "TEMPERATURE",
    "ChoiceParam",
    "FloatParam",
    "IntParam",
    "Interval",
    "Loss",
    "LossContext",
    "LossModule",
    "LossSpec",
    "NullVector",
    "Objective",
    "Parameter",
    "Part",
    "Special",
    "all_parameters",
    "declare",
    "find_mistakes",
    "get",
    "names",
    "null_vector",
    "parameter",
    "parameters_of",
]
