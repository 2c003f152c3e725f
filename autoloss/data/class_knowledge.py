"""The user's weights and similarity of the classes, checked and in the order of the classes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from autoloss.core.errors import InputError
from autoloss.core.task import Label, Task
from autoloss.data.class_table import (
    check_label_names,
    in_class_order,
    places_of_classes,
    read_by_class,
    read_class_table,
    repeated,
)
from autoloss.data.values import label_of

Weights = Mapping[Label, float] | str | Path
Similarity = pd.DataFrame | str | Path


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
        classes, others = read_by_class(weights, "class_weights")
        if others.shape[1] != 1:
            raise InputError(
                f"{weights} must have two columns, the class and its weight, but got "
                f"{1 + others.shape[1]}."
            )
        if twice := repeated(classes):
            raise InputError(
                f"{weights} must have one row per class, but got {', '.join(twice)} more than "
                "once."
            )
        weights = dict(zip(classes, others.iloc[:, 0], strict=True))
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


def ordered_weights(weights: Mapping[str, float] | None, task: Task) -> list[Any] | None:
    """Return class weights in the order of the classes.

    The weight of a label of several is that of yes; no has the weight 1.

    Raises:
        InputError: A class has no weight, or a name is not a class.

    Shape:
        - output: ``(C,)``; of several labels ``(L, 2)``
    """
    if weights is None:
        return None
    if task.names:
        check_label_names(list(weights), task, subject="class_weights")
        return [[1.0, weights[name]] for name in task.names]
    names = list(weights)
    order = places_of_classes(names, task, subject="class_weights")
    return [weights[names[place]] for place in order]


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
