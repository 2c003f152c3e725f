"""A law of the contract: its rule, and the search for breaches."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from autoloss.core.errors import InputError
from autoloss.losses.loss import Loss
from autoloss.losses.parameters import ChoiceParam, FloatParam, IntParam, Number, Parameter

Setting = Mapping[str, float]
Points = Callable[[Loss], list[dict[str, float]]]


@dataclass(frozen=True)
class Law:
    """A law that every loss must meet; a call on a loss returns its breach.

    Args:
        name: Its name.
        rule: The rule, which follows "<loss> must" in a message.
        breach: Returns the breach, which follows "but got", or None.
        points: Returns the settings at which the law is checked.
    """

    name: str
    rule: str
    breach: Callable[[Loss, Setting], str | None]
    points: Points

    def __call__(self, loss: Loss) -> str | None:
        """Return the breach of a loss in one line, or None."""
        for setting in self.points(loss):
            try:
                found = self.breach(loss, setting)
            except Exception as error:
                first = (str(error).splitlines() or [""])[0].rstrip(".")
                found = f"{type(error).__name__}: {first}"
                raise InputError(self._line(loss, setting, found)) from error
            if found is not None:
                return self._line(loss, setting, found)
        return None

    def _line(self, loss: Loss, setting: Setting, found: str) -> str:
        where = ", ".join(f"{name}={value:g}" for name, value in setting.items())
        return f"{loss.name} must {self.rule}, but got {found}{f' at {where}' * bool(where)}."


def law(rule: str, *, at: Points) -> Callable[[Callable[[Loss, Setting], str | None]], Law]:
    """Return a decorator that makes a law of a function, with the function's name."""

    def decorate(breach: Callable[[Loss, Setting], str | None]) -> Law:
        return Law(breach.__name__, rule, breach, at)

    return decorate


def defaults(loss: Loss) -> list[dict[str, float]]:
    """Return the setting of the defaults alone."""
    return [{name: parameter.default for name, parameter in loss.parameters.items()}]


def searched(loss: Loss) -> list[dict[str, float]]:
    """Return settings on the edges of the range of a search, and between."""
    return _settings(loss, _inside)


def allowed(loss: Loss) -> list[dict[str, float]]:
    """Return the settings of `searched`, and settings on the edges of the allowed values."""
    return _settings(loss, _with_limits)


def _settings(loss: Loss, values: Callable[[Parameter], list[Number]]) -> list[dict[str, float]]:
    """Return the defaults, each value of each parameter beside the defaults, and all corners."""
    (default,) = defaults(loss)
    found = [default]
    points = {name: values(parameter) for name, parameter in loss.parameters.items()}
    found += [default | {name: value} for name, column in points.items() for value in column]
    if len(points) > 1:
        ends = [(column[0], column[-1]) for column in points.values()]
        found += [dict(zip(points, corner, strict=True)) for corner in itertools.product(*ends)]
    return [setting for i, setting in enumerate(found) if setting not in found[:i]]


def _inside(parameter: Parameter) -> list[Number]:
    """Return the ends of a parameter's range and values between, in order."""
    if isinstance(parameter, ChoiceParam):
        return sorted(parameter.choices)
    if isinstance(parameter, IntParam):
        return sorted({parameter.low, parameter.default, parameter.high})
    # Near the lower end, because a power below 1 has no finite slope at 0.
    near = parameter.low + (parameter.high - parameter.low) / 10
    return sorted({parameter.low, near, parameter.default, parameter.high})


def _with_limits(parameter: Parameter) -> list[Number]:
    limits = parameter.allowed.closed_ends if isinstance(parameter, FloatParam) else ()
    return sorted({*_inside(parameter), *limits})


def slope(values: Tensor, at: Tensor) -> Tensor:
    """Return the gradient of the sum of `values`; zeros if it does not depend on `at`."""
    if not values.requires_grad:
        return torch.zeros_like(at)
    (found,) = torch.autograd.grad(values.sum(), at, materialize_grads=True, allow_unused=True)
    return found


def gap(ours: Tensor, theirs: Tensor, *, atol: float, rtol: float | None = None) -> str | None:
    """Return the largest difference in words, or None if it is within the tolerance.

    Args:
        ours: The values.
        theirs: The expected values.
        atol: Absolute tolerance.
        rtol: Relative tolerance; by default as `atol`.
    """
    if ours.shape != theirs.shape:
        return f"shape {tuple(ours.shape)} in place of {tuple(theirs.shape)}"
    ours, theirs = ours.detach(), theirs.detach()
    away = (ours - theirs).abs()
    allowed_gap = atol + (atol if rtol is None else rtol) * theirs.abs()
    # NaN is within no tolerance.
    if bool((away <= allowed_gap).all()):
        return None
    return f"a difference of {float(away.nan_to_num(nan=torch.inf).max()):.2g}"
