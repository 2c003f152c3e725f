"""The metric of a study: a declared metric by name, or a custom metric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from autoloss.core.errors import InputError, closest
from autoloss.losses import ClassFacts
from autoloss.metrics.costs import EXPECTED_COST, Matrix
from autoloss.metrics.declare import Declaration
from autoloss.metrics.entities import entity_tags
from autoloss.metrics.judged import Judged, MetricFunction
from autoloss.metrics.known import DECLARED, canonical, is_balanced
from autoloss.metrics.own import called, own_values

Of = Literal["probabilities", "logits", "model"]


@dataclass(frozen=True)
class Metric:
    """The metric of a study, which decides where the error does by default.

    Args:
        name: Its key in `Scores.metrics`.
        lower_is_better: Its direction.
        function: The user's function, which returns a number; None for a declared metric.
        costs: Cost of a decision (column) where a class is true (row); for several labels of a
            miss and of a false alarm of each; None for none. Another metric has them too: the
            expected cost is then computed beside it.
        of: The arguments of the function: ``"probabilities"`` and targets, ``"logits"`` (log
            probabilities; of several labels log odds) and targets, or the ``"model"`` alone, a
            `Classifier`.
        independent: Whether a sample of rows has a value like all rows, so that the bootstrap
            serves; otherwise whole training runs are compared.

    Shape:
        - costs: ``(C, C)``, with the decision for no class ``(C, C + 1)``; of several labels
          ``(L, 2)``
        - arguments: probabilities ``(N, C)`` and classes ``(N,)``; of several labels ``(N, L)``
          twice, with NaN where a label is missing; of sequences lists of ``(T, C)`` and ``(T,)``
    """

    name: str
    lower_is_better: bool = True
    function: MetricFunction | None = None
    costs: Matrix | None = None
    of: Of = "probabilities"
    independent: bool = True

    def __post_init__(self) -> None:
        """Check the words.

        Raises:
            InputError: If a value is not allowed.
        """
        if self.of not in get_args(Of):
            known = ", ".join(map(repr, get_args(Of)))
            raise InputError(
                f"A metric must be of {known}, but got {self.name}.of={self.of!r}"
                f"{closest(str(self.of), get_args(Of))}"
            )
        for key in ("lower_is_better", "independent"):
            if not isinstance(getattr(self, key), bool):
                raise InputError(
                    f"A metric must have {key} True or False, but got"
                    f" {self.name}.{key}={getattr(self, key)!r}."
                )

    @property
    def is_own(self) -> bool:
        """Return whether it is a custom metric, which no file can hold."""
        return self.function is not None

    @property
    def is_of_models(self) -> bool:
        """Return whether it judges a model, not its predictions for rows."""
        return self.is_own and self.of == "model"

    @property
    def is_of_trainings(self) -> bool:
        """Return whether training runs are compared, because its rows cannot be resampled."""
        return self.is_own and (self.of == "model" or not self.independent)

    @property
    def declared(self) -> Declaration | None:
        """Return its declaration; None for a custom metric."""
        return None if self.is_own else DECLARED[self.name]

    @property
    def is_balanced(self) -> bool:
        """Return whether decisions weigh each class by its share of the rows."""
        return not self.is_own and is_balanced(self.name)

    def of_rows(self, judged: Judged) -> Tensor:
        """Return its value for each candidate, (K,); NaN without finite predictions.

        Raises:
            InputError: If the user's function does not return a number.
        """
        if self.declared is not None:
            return judged.value(self.declared.function)
        return torch.from_numpy(own_values(self, judged)).to(judged.scores.device)

    def of_model(self, model: Any) -> float:
        """Return its value for a model.

        Raises:
            InputError: If the user's function does not return a number.
        """
        return called(self, model)


METRIC_NAMES = tuple(name for name, one in DECLARED.items() if not one.needs_costs)


def resolve_metric(
    metric: str | MetricFunction | Metric | None,
    *,
    facts: ClassFacts | None = None,
    lower_is_better: bool | None = None,
    cost_matrix: Sequence[Sequence[float]] | None = None,
) -> Metric:
    """Return the metric of a name or of a function.

    Args:
        metric: A name of `known.NAMES`, which are the names of scikit-learn's scorers, or a
            function of probabilities (N, C) and classes (N,) that returns a number. None is the
            expected cost where there is a cost matrix, else the error.
        facts: The kind of label and its classes, to refuse a metric that does not fit them; not
            checked by default.
        lower_is_better: Direction of a function; by default its attribute of that name.
        cost_matrix: Cost of a decision (column) where a class is true (row), in the order of the
            classes, and the decision for none of them last; every metric keeps it.

    Raises:
        InputError: If the name is unknown, the task does not fit, a function has no direction or
            the expected cost no cost matrix.

    Shape:
        cost_matrix (C, C) or (C, C + 1).

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
        resolved = metric
    elif isinstance(metric, str):
        name = canonical(metric)
        resolved = Metric(name, lower_is_better=DECLARED[name].lower_is_better)
    else:
        resolved = metric_of(metric, lower_is_better=lower_is_better)
    if costs is not None:
        resolved = replace(resolved, costs=costs)
    _check_fit(resolved, facts)
    return resolved


def _check_fit(metric: Metric, facts: ClassFacts | None) -> None:
    """Refuse a metric that does not fit its costs or the classes."""
    declared, costs = metric.declared, metric.costs
    if declared and declared.needs_costs and costs is None:
        raise InputError(
            f"The metric {metric.name!r} must have a cost matrix, but got cost_matrix=None: "
            "give one by cost_matrix= or --cost-matrix FILE."
        )
    if facts is None:
        return
    if declared and declared.two_classes and not facts.is_yes_or_no:
        rule, got = "two classes", f"classes={facts.n_classes}"
        if facts.task == "sequence":
            rule, got = "a positive class", "the tags of sequences"
        instead = declared.for_more_classes
        hint = f"; {instead} is for any number of classes" if instead else ""
        raise InputError(f"The metric {metric.name!r} must have {rule}, but got {got}{hint}.")
    if declared and declared.several_labels and facts.task != "multilabel":
        raise InputError(
            f"The metric {metric.name!r} must have several labels per row, but got one label per "
            "row."
        )
    if declared and declared.reads != "items" and facts.task != "sequence":
        raise InputError(
            f"The metric {metric.name!r} must have the tags of sequences, but got labels of rows."
        )
    if declared and declared.reads == "entities" and entity_tags(facts.names) is None:
        shown = ", ".join(map(repr, facts.names[:4]))
        raise InputError(
            f"The metric {metric.name!r} must have the tag 'O' and tags such as 'B-place' and "
            f"'I-place', but got {shown}; segment_overlap is for any tags."
        )
    if costs is not None and facts.task == "multilabel":
        count = facts.counts.shape[-2]
        if len(costs) != count or len(costs[0]) != 2:
            raise InputError(
                f"cost_matrix must have a row for each of {count} labels, the costs of a miss and"
                f" of a false alarm, but got {len(costs)} rows of {len(costs[0])}."
            )
        return
    widths = (facts.n_classes, facts.n_classes + 1)
    if costs is not None and not (len(costs) == widths[0] and len(costs[0]) in widths):
        raise InputError(
            f"cost_matrix must have a row and a column for each of {facts.n_classes} classes, but "
            f"got {len(costs)} rows."
        )


def _as_matrix(cost_matrix: Sequence[Sequence[float]] | None) -> Matrix | None:
    if cost_matrix is None:
        return None
    matrix = tuple(tuple(float(cost) for cost in row) for row in cost_matrix)
    widths = {len(row) for row in matrix}
    # A decision for no class may come last, and several labels have two costs each.
    is_square = len(matrix) > 1 and widths in ({len(matrix)}, {len(matrix) + 1}, {2})
    if not is_square or not np.isfinite(matrix).all():
        raise InputError(
            "cost_matrix must be a square of finite numbers, a row and a column for each class, "
            f"but got cost_matrix={[list(row) for row in matrix]}."
        )
    return matrix


def metric_of(
    function: MetricFunction, *, name: str = "", lower_is_better: bool | None = None
) -> Metric:
    """Return the metric of a user's function, which says its direction.

    Args:
        function: The function; its attributes `lower_is_better`, `of` and `independent` are those
            of `Metric`.
        name: The name; by default the function's.
        lower_is_better: The direction; by default the function's attribute.

    Raises:
        InputError: If it is not a function, or has no direction.
    """
    if not callable(function):
        raise InputError(f"A metric must be a name or a function, but got metric={function!r}.")
    if not name:
        name = getattr(function, "__name__", type(function).__name__)
        name = "metric" if name == "<lambda>" else name
    direction = lower_is_better
    if direction is None:
        direction = getattr(function, "lower_is_better", None)
    if not isinstance(direction, bool):
        message = f"A metric function must say its direction, but got {name}.lower_is_better"
        raise InputError(f"{message}={direction!r}; set it to True or False.")
    return Metric(
        name,
        lower_is_better=direction,
        function=function,
        of=getattr(function, "of", "probabilities"),
        independent=getattr(function, "independent", True),
    )
