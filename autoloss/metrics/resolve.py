"""The user's metric: a name that is known, or a function."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from autoloss.core.errors import InputError
from autoloss.metrics.costs import EXPECTED_COST, ExpectedCost, Matrix
from autoloss.metrics.declare import Declared
from autoloss.metrics.judged import Judged, MetricFunction
from autoloss.metrics.known import DECLARED, canonical, is_balanced


@dataclass(frozen=True)
class Metric:
    """What takes the place of the error.

    Args:
        name: Its key in `Scores.metrics`.
        lower_is_better: Its direction.
        function: Of probabilities (N, C) and classes (N,): the user's, or the expected cost by
            `costs`. None for the others that are declared.
        costs: Cost of a decision (column) where a class is true (row), None where none are given.
            With them the expected cost is computed beside a metric that is another.

    Shape:
        - costs: ``(C, C)``
    """

    name: str
    lower_is_better: bool = True
    function: MetricFunction | None = None
    costs: Matrix | None = None

    @property
    def is_own(self) -> bool:
        """Return whether it is a function of the user's, which no file can hold."""
        return self.function is not None and not isinstance(self.function, ExpectedCost)

    @property
    def declared(self) -> Declared | None:
        """Return its declaration; None for a function of the user's."""
        return None if self.is_own else DECLARED[self.name]

    @property
    def is_balanced(self) -> bool:
        """Return whether decisions weigh each class by its share of the rows."""
        return not self.is_own and is_balanced(self.name)

    def of(self, judged: Judged) -> Tensor:
        """Return its value for each candidate, (K,); NaN for one without finite predictions.

        Raises:
            InputError: If the user's function does not return a number.
        """
        if self.declared is not None:
            return judged.value(self.declared.function)
        return self.of_all(judged.log_probs, judged.classes, judged.is_finite)

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
    one.name: Metric(one.name, lower_is_better=one.lower_is_better)
    for one in DECLARED.values()
    if not one.needs_costs
}
METRIC_NAMES = tuple(_NAMED)


def resolve_metric(
    metric: str | MetricFunction | Metric | None,
    *,
    n_classes: int | None = None,
    lower_is_better: bool | None = None,
    cost_matrix: Sequence[Sequence[float]] | None = None,
) -> Metric:
    """Return the metric of that name, or the one that a function computes.

    Args:
        metric: A name of `known.NAMES`, which are those of scikit-learn's scorers, or a
            function of probabilities (N, C) and classes (N,) that returns a number. None is the
            expected cost where there is a cost matrix, else error.
        n_classes: Number of classes, to refuse metrics of two classes; not checked by default.
        lower_is_better: Direction of a function; else its attribute of that name says it.
        cost_matrix: Cost of a decision (column) where a class is true (row), in the order of the
            classes; it is kept with every metric.

    Raises:
        InputError: If the name is unknown, the task does not fit, a function has no direction or
            the expected cost no cost matrix.

    Shape:
        cost_matrix (C, C).

    Examples:
        >>> resolve_metric("auroc").lower_is_better
        False
        >>> resolve_metric(None).name, resolve_metric(None, cost_matrix=[[0, 1], [5, 0]]).name
        ('error', 'expected_cost')
    """
    costs = _as_matrix(cost_matrix)
    if metric is None:
        metric = "error" if costs is None else EXPECTED_COST
    if isinstance(metric, Metric):
        costs = metric.costs if costs is None else costs
        is_named = metric.name == EXPECTED_COST and not metric.is_own
        resolved = _of_costs(costs) if is_named else metric
    elif isinstance(metric, str):
        metric = canonical(metric)
        resolved = _of_costs(costs) if metric == EXPECTED_COST else _NAMED[metric]
    else:
        resolved = _of_function(metric, lower_is_better)
    declared = resolved.declared
    if declared and declared.two_classes and n_classes is not None and n_classes != 2:
        message = f"The metric {resolved.name!r} must have two classes"
        instead = declared.for_more_classes
        hint = f"; {instead} is for any number of classes" if instead else ""
        raise InputError(f"{message}, but got classes={n_classes}{hint}.")
    if costs is not None and n_classes not in (None, len(costs)):
        raise InputError(
            f"cost_matrix must have a row and a column for each of {n_classes} classes, but got "
            f"{len(costs)} rows."
        )
    return resolved if costs == resolved.costs else replace(resolved, costs=costs)


def _of_costs(costs: Matrix | None) -> Metric:
    if costs is None:
        raise InputError(
            f"The metric {EXPECTED_COST!r} must have a cost matrix, but got cost_matrix=None: "
            "give one by cost_matrix= or --cost-matrix FILE."
        )
    return Metric(EXPECTED_COST, function=ExpectedCost(costs), costs=costs)


def _as_matrix(cost_matrix: Sequence[Sequence[float]] | None) -> Matrix | None:
    if cost_matrix is None:
        return None
    matrix = tuple(tuple(float(cost) for cost in row) for row in cost_matrix)
    is_square = all(len(row) == len(matrix) for row in matrix) and len(matrix) > 1
    if not is_square or not np.isfinite(matrix).all():
        raise InputError(
            "cost_matrix must be a square of finite numbers, a row and a column for each class, "
            f"but got cost_matrix={[list(row) for row in matrix]}."
        )
    return matrix


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
