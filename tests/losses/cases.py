"""Settings and data that every loss is tried on."""

from __future__ import annotations

from torch import Tensor

from autoloss import losses
from autoloss.losses import ChoiceParam, FloatParam, IntParam, Loss, Parameter
from autoloss.losses.contract.law import searched, slope
from autoloss.losses.samples import (
    context_for,
    draw,
    draw_labels,
    logits_for,
    sizes_for,
    within_head,
)

__all__ = [
    "ALL",
    "SMOOTH",
    "context_for",
    "draw",
    "draw_labels",
    "each",
    "inside",
    "label",
    "logits_for",
    "read",
    "sizes_for",
    "slope",
    "with_limits",
    "within_head",
]

ALL = tuple(losses.get(name) for name in losses.names())
SMOOTH = tuple(loss for loss in ALL if loss.has_exact_readout)


def inside(parameter: Parameter) -> list[float]:
    """Return the ends of a parameter's range and values between."""
    if isinstance(parameter, ChoiceParam):
        return list(parameter.choices)
    if isinstance(parameter, IntParam):
        return sorted({parameter.low, parameter.low + 1, parameter.default, parameter.high})
    # Near the lower end, where a power below 1 has no finite slope at 0.
    near = parameter.low + (parameter.high - parameter.low) / 10
    return sorted(
        {parameter.low, parameter.default, type(parameter.default)(near), parameter.high}
    )


def with_limits(parameter: Parameter) -> list[float]:
    """Return the values of `inside` and the ends of the allowed values."""
    limits = parameter.allowed.closed_ends if isinstance(parameter, FloatParam) else ()
    return sorted({*inside(parameter), *limits})


def each(some=ALL) -> list[tuple[Loss, dict[str, float]]]:
    """Return losses with settings at the ends of the range of a search."""
    return [(loss, setting) for loss in some for setting in searched(loss)]


def label(value: object) -> str:
    """Return the name of a case for pytest."""
    if isinstance(value, Loss):
        return value.name
    if isinstance(value, dict):
        return ",".join(f"{key}={number:g}" for key, number in value.items()) or "plain"
    return str(value)


def read(loss: Loss, logits: Tensor, **setting: float) -> Tensor:
    """Return the posterior by the read-out of a loss, in a context that fits."""
    return loss.readout(logits, context=context_for(loss, logits), **setting).exp()
