"""The user's knowledge of the classes (weights, similarity, costs), a teacher and a network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoloss.core.errors import InputError
from autoloss.core.task import Label, Task
from autoloss.data import StudyData, read_table
from autoloss.data.class_table import check_names, in_class_order, read_class_table, repeated
from autoloss.data.costs import Costs, check_costs, ordered_costs
from autoloss.data.values import label_of
from autoloss.experiment.own_network import provided, space_for
from autoloss.inference.classifier import Classifier
from autoloss.inference.loading import load
from autoloss.metrics import Metric, MetricFunction, resolve_metric
from autoloss.models import OwnModel
from autoloss.models.custom.own import AUTO, Model, open_model
from autoloss.search import Space

Weights = Mapping[Label, float] | str | Path
Similarity = pd.DataFrame | str | Path
PROVIDED = (
    *("row_ids", "progress", "norms", "memory", "mixup"),
    *("cosine head", "unbiased head"),
)
"""The fields of `LossContext` that the trainer gives to every loss that needs them."""
# A teacher's probabilities are clamped here, because its logits must be finite.
_LEAST_PROB = 1e-7


@runtime_checkable
class Estimator(Protocol):
    """A fitted classifier with scikit-learn's interface."""

    classes_: Any

    def predict_proba(self, X: Any) -> Any:
        """Return probabilities: a row for each example, a column for each class of `classes_`."""


Teacher = Classifier | Estimator | str | Path


@dataclass(frozen=True, eq=False)
class Given:
    """The user's knowledge besides the data; None for anything that was not given.

    Args:
        class_weights: Weight of each class.
        class_similarity: Similarity of each pair of classes.
        teacher: A model whose probabilities for the training rows are taught.
        cost_matrix: Cost of each decision for each true class.
        model: A network that replaces the built-in network.
    """

    class_weights: Mapping[str, float] | None = None
    class_similarity: Mapping[str, Mapping[str, float]] | None = None
    teacher: Classifier | Estimator | None = None
    cost_matrix: Mapping[str, Mapping[str, float]] | None = None
    model: OwnModel | None = None

    @classmethod
    def of(
        cls,
        class_weights: Weights | None = None,
        class_similarity: Similarity | None = None,
        teacher: Teacher | None = None,
        cost_matrix: Costs | None = None,
        model: Model = AUTO,
    ) -> Self:
        """Return the given values, after the checks that need no data."""
        return cls(
            check_weights(class_weights),
            check_similarity(class_similarity),
            open_teacher(teacher),
            check_costs(cost_matrix),
            open_model(model),
        )

    def asked_metric(self, metric: str | MetricFunction | Metric | None) -> str | None:
        """Return the name of the metric that the user asks for, or None.

        A cost matrix asks for the expected cost if no metric is named.

        Raises:
            InputError: As in `resolve_metric`.
        """
        costs = self.cost_matrix
        if metric is None and costs is None:
            return None
        rows = None if costs is None else [list(row.values()) for row in costs.values()]
        return resolve_metric(metric, cost_matrix=rows).name

    def join(self, space: Space, own: Iterable[str] = ()) -> Space:
        """Return the space with the priors and targets that the given values allow.

        Args:
            space: The space.
            own: The user's own losses.

        Raises:
            InputError: One of these losses cannot train the network.
        """
        if self.class_weights is not None:
            space = space.joined_by("prior", "given_weights")
        if self.class_similarity is not None:
            space = space.joined_by("target", "similarity_smoothing")
        if self.teacher is not None:
            space = space.joined_by("target", "distillation")
        return space_for(space, self.model, asked=own)

    def for_study(self, task: Task) -> dict[str, Any]:
        """Return the arguments of a `Study` for a task."""
        costs = ordered_costs(self.cost_matrix, task)
        return {
            **({} if costs is None else {"cost_matrix": costs}),
            "class_weights": ordered_weights(self.class_weights, task),
            "class_similarity": ordered_similarity(self.class_similarity, task),
            "provides": (
                *provided(PROVIDED, self.model),
                *(["teacher_logits"] if self.teacher is not None else ()),
            ),
        }

    def teacher_logits(self, data: StudyData) -> Tensor | None:
        """Return the teacher's logits for the rows of the data, or None without a teacher.

        Shape:
            - output: ``(rows, C)``
        """
        if self.teacher is None:
            return None
        return teacher_logits(self.teacher, data.table, data.task)


def check_weights(weights: Weights | None) -> dict[str, float] | None:
    """Return the weight by the text of each class, in a form that JSON can hold.

    Args:
        weights: Weight by class, or a table of two columns, the class and its weight.

    Raises:
        InputError: A weight is not a number above 0.
    """
    if weights is None:
        return None
    if isinstance(weights, str | Path):
        table = read_table(weights, name="class_weights")
        if table.shape[1] != 2:
            raise InputError(
                f"{weights} must have two columns, the class and its weight, but got "
                f"{table.shape[1]}."
            )
        twice = repeated(map(label_of, table.iloc[:, 0]))
        if twice:
            raise InputError(
                f"{weights} must have one row a class, but got {', '.join(twice)} more than once."
            )
        weights = dict(zip(table.iloc[:, 0], table.iloc[:, 1], strict=True))
    if not isinstance(weights, Mapping):
        raise InputError(
            f"class_weights must map each class to its weight, but got class_weights={weights!r}."
        )
    for label, weight in weights.items():
        is_number = isinstance(weight, int | float | np.number) and not isinstance(weight, bool)
        if not is_number or not 0 < float(weight) < float("inf"):
            raise InputError(
                f"class_weights must be numbers above 0, but got {label_of(label)}={weight!r}."
            )
    if twice := repeated(map(label_of, weights)):
        raise InputError(
            f"class_weights must name each class once, but got {', '.join(twice)} more than once."
        )
    return {label_of(label): float(weight) for label, weight in weights.items()}


def ordered_weights(weights: Mapping[str, float] | None, task: Task) -> list[float] | None:
    """Return class weights in the order of the classes.

    Raises:
        InputError: A class has no weight, or a name is not a class.
    """
    if weights is None:
        return None
    names = [label_of(label) for label in task.classes]
    check_names("class_weights", list(weights), names)
    return [weights[name] for name in names]


def check_similarity(similarity: Similarity | None) -> dict[str, dict[str, float]] | None:
    """Return the similarity by the texts of both classes, in a form that JSON can hold.

    Args:
        similarity: A square table whose first column (of a file) or index (of a DataFrame) and
            whose header name the classes.

    Raises:
        InputError: It is not such a table.
    """
    if similarity is None:
        return None
    table, where = read_class_table(similarity, "class_similarity")
    if not all(0 <= value < float("inf") for row in table.values() for value in row.values()):
        raise InputError(f"{where} must hold numbers of at least 0, but has others.")
    return table


def ordered_similarity(
    similarity: Mapping[str, Mapping[str, float]] | None, task: Task
) -> list[list[float]] | None:
    """Return a class similarity in the order of the classes.

    Raises:
        InputError: A class is missing, or a name is not a class.
    """
    if similarity is None:
        return None
    rows = in_class_order(similarity, "class_similarity", task)
    for label, row in zip(task.classes, rows, strict=True):
        if not sum(row) > 0:
            raise InputError(
                "class_similarity must have a number above 0 in every row, but "
                f"{label_of(label)!r} has none."
            )
    return rows


def open_teacher(teacher: Teacher | None) -> Classifier | Estimator | None:
    """Return a teacher; a teacher given as a folder is loaded.

    Raises:
        InputError: It is neither a model nor a fitted classifier.
    """
    if isinstance(teacher, str | Path):
        return load(teacher)
    if teacher is None or isinstance(teacher, Classifier | Estimator):
        return teacher
    raise InputError(
        "teacher must be a model's folder, a Classifier or a fitted estimator with predict_proba, "
        f"but got {type(teacher).__name__}."
    )


def teacher_logits(teacher: Classifier | Estimator, rows: pd.DataFrame, task: Task) -> Tensor:
    """Return the log probabilities of a teacher for rows, in the order of the classes.

    Args:
        teacher: The teacher.
        rows: The rows, with the columns that it was trained on.
        task: What is predicted; the teacher must know the same classes.

    Shape:
        - output: ``(N, C)``

    Raises:
        InputError: The teacher has other classes, or cannot read the rows.
    """
    if isinstance(teacher, Classifier):
        known: Sequence[Label] = teacher.task.classes
        probs: NDArray[np.float64] = teacher.predict_proba(rows)
    else:
        known = list(teacher.classes_)
        columns = getattr(teacher, "feature_names_in_", None)
        inputs = rows.drop(columns=[task.target], errors="ignore")
        try:
            probs = np.asarray(
                teacher.predict_proba(inputs if columns is None else rows[list(columns)])
            )
        except (KeyError, ValueError, TypeError) as error:
            line = str(error).strip().partition("\n")[0]
            raise InputError(
                f"teacher must be able to read the training rows, but {type(teacher).__name__} "
                f"says: {line}."
            ) from error
    names, own = [label_of(label) for label in task.classes], [label_of(one) for one in known]
    check_names("teacher", own, names)
    order = [own.index(name) for name in names]
    return torch.from_numpy(probs[:, order].clip(_LEAST_PROB)).log().float()
