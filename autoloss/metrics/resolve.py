"""The user's metric: a name that is known, or a function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoloss.errors import InputError, closest

MetricFunction = Callable[[NDArray[Any], NDArray[Any]], float]


@dataclass(frozen=True)
class Metric:
    """What takes the place of the error.

    Args:
        name: Its key in `Scores.metrics`.
        lower_is_better: Its direction.
        function: Of probabilities (N, C) and classes (N,); None for one that is always computed.
        is_binary: Whether it needs two classes.
    """

    name: str
    lower_is_better: bool = True
    function: MetricFunction | None = None
    is_binary: bool = False

    def of_all(self, log_probs: Tensor, targets: Tensor, is_finite: Tensor) -> Tensor:
        """Call the function for each candidate with finite predictions; NaN for others, (K,).

        Raises:
            InputError: If the function does not return a number.
        """
        if self.function is None:
            raise TypeError(f"The metric {self.name!r} has no function.")
        probs, classes = log_probs.exp().cpu().numpy(), targets.cpu().numpy()
        values = np.full(len(probs), np.nan)
        for k in is_finite.nonzero().flatten().tolist():
            value = self.function(probs[k], classes)
            try:
                values[k] = float(value)
            except (TypeError, ValueError):
                shown = f"{self.name}={value!r}"
                raise InputError(f"A metric must return one number, but got {shown}.") from None
        return torch.from_numpy(values).to(log_probs.device)


_NAMED = {
    "error": Metric("error"),
    "balanced_error": Metric("balanced_error"),
    "average_precision": Metric("average_precision", lower_is_better=False, is_binary=True),
    "auroc": Metric("auroc", lower_is_better=False, is_binary=True),
}
METRIC_NAMES = tuple(_NAMED)


def resolve_metric(
    metric: str | MetricFunction | Metric,
    *,
    n_classes: int | None = None,
    lower_is_better: bool | None = None,
) -> Metric:
    """Return the metric of that name, or the one that a function computes.

    Args:
        metric: ``"error"``, ``"balanced_error"``, ``"average_precision"``, ``"auroc"``, or a
            function of probabilities (N, C) and classes (N,) that returns a number.
        n_classes: Number of classes, to refuse metrics of two classes; not checked by default.
        lower_is_better: Direction of a function; else its attribute of that name says it.

    Raises:
        InputError: If the name is unknown, the task does not fit or a function has no direction.

    Examples:
        >>> resolve_metric("auroc").lower_is_better
        False
    """
    if isinstance(metric, str):
        if metric not in _NAMED:
            hint = closest(metric, _NAMED)
            raise InputError(f"A metric must be known, but got metric={metric!r}{hint}")
        metric = _NAMED[metric]
    elif not isinstance(metric, Metric):
        metric = _of_function(metric, lower_is_better)
    if metric.is_binary and n_classes is not None and n_classes != 2:
        message = f"The metric {metric.name!r} must have two classes, but got classes={n_classes}."
        raise InputError(message)
    return metric


def _of_function(function: MetricFunction, lower_is_better: bool | None) -> Metric:
    if not callable(function):
        raise InputError(f"A metric must be a name or a function, but got metric={function!r}.")
    name = getattr(function, "__name__", type(function).__name__)
    if name == "<lambda>":
        name = "metric"
    direction = getattr(function, "lower_is_better", lower_is_better)
    if lower_is_better is not None:
        direction = lower_is_better
    if not isinstance(direction, bool):
        message = f"A metric function must say its direction, but got {name}.lower_is_better"
        raise InputError(f"{message}={direction!r}; set it to True or False.")
    return Metric(name, lower_is_better=direction, function=function)
