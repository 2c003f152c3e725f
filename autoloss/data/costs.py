"""The user's cost matrix: read by the names of the classes, checked, and commented on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from autoloss.core.errors import InputError
from autoloss.core.task import REJECT, Label, Task
from autoloss.data.class_table import (
    ClassTable,
    check_label_names,
    in_class_order,
    places_of_classes,
    read_class_table,
)
from autoloss.data.messages import listed
from autoloss.data.values import label_of
from autoloss.metrics.known import is_balanced

Costs = ClassTable
_NAME = "cost_matrix"
MISS, FALSE_ALARM = "miss", "false_alarm"
"""The costs of a label of several: of no where it is there, and of yes where it is not."""
# Differences below it are rounding, for costs whose largest difference is 1.
_TOLERANCE = 1e-9
_MOVED = {
    True: "the cost matrix moves its decisions again",
    False: "balanced error divides its probabilities by the prior again",
}


def check_costs(costs: Costs | None) -> dict[str, dict[str, float]] | None:
    """Return a cost matrix as nested mappings from true class to decision, ready for JSON.

    Args:
        costs: Cost of a decision given the true class, in any unit: a square table with the true
            classes in its index (first column of a file) and the decisions in its header, or a
            mapping of true classes to mappings of decisions. A further decision ``reject`` is for
            no class. For several labels a row a table
            with a row for each label and the columns ``miss`` and ``false_alarm``.

    Raises:
        InputError: The table is not square, its classes are wrong, or a cost is negative or not
            finite.
    """
    if costs is None:
        return None
    table, where = read_class_table(costs, _NAME, pairs=(MISS, FALSE_ALARM), more=REJECT)
    for row, values in table.items():
        for column, value in values.items():
            place = f"for true class {row!r} and decision {column!r}"
            if not np.isfinite(value):
                raise InputError(
                    f"{where} must hold finite numbers, but has another value {place}."
                )
            if value < 0.0:
                raise InputError(
                    f"{where} must hold costs of 0 or more, but has {value:g} {place}: add the "
                    "same number to all costs of a true class, which changes no decision."
                )
    return table


def ordered_costs(
    costs: Mapping[str, Mapping[str, float]] | None, task: Task
) -> list[list[float]] | None:
    """Return a cost matrix in the order of the classes: true classes down, decisions across.

    The decision ``reject`` comes last. For several labels a row it has the costs of a miss and of
    a false alarm of each.

    Raises:
        InputError: A class is missing, a name is not a class, or a decision is always cheapest.

    Shape:
        - output: ``(C, C)``, with reject ``(C, C + 1)``; of several labels ``(L, 2)``
    """
    if costs is None:
        return None
    if task.names:
        return _label_costs(costs, task)
    matrix = _in_order(costs, task)
    best = is_ever_cheapest(matrix)
    if best.sum() < 2:
        only = decisions_of(matrix, task.classes)[int(best.argmax())]
        raise InputError(
            f"{_NAME} must leave a choice, but the decision {only!r} is the cheapest whatever "
            "the probabilities are."
        )
    return matrix


def _in_order(costs: Mapping[str, Mapping[str, float]], task: Task) -> list[list[float]]:
    """Return the costs in the order of the classes, the costs of reject last."""
    matrix = in_class_order(costs, _NAME, task)
    if not has_reject(costs):
        return matrix
    if task.kind == "sequence":
        raise InputError(
            f"{_NAME} must have no decision {REJECT!r} for sequences, whose tokens each get a tag."
        )
    places = places_of_classes(list(costs), task, subject=_NAME)
    last = [row[REJECT] for row in costs.values()]
    return [[*row, last[place]] for row, place in zip(matrix, places, strict=True)]


def has_reject(costs: Mapping[str, Mapping[str, float]]) -> bool:
    """Return whether costs have the decision for no class; a class may have its name."""
    return REJECT not in costs and all(REJECT in row for row in costs.values())


def decisions_of(matrix: Sequence[Sequence[float]], classes: Sequence[Label]) -> tuple[str, ...]:
    """Return the names of the decisions of a cost matrix: the classes, and reject where it is.

    Shape:
        - matrix: ``(C, C)``, with reject ``(C, C + 1)``
    """
    names = tuple(map(label_of, classes))
    return (*names, REJECT) if len(matrix[0]) > len(names) else names


def _label_costs(costs: Mapping[str, Mapping[str, float]], task: Task) -> list[list[float]]:
    """Return the costs of a miss and of a false alarm of each label, (L, 2)."""
    columns = {column for row in costs.values() for column in row}
    if columns != {MISS, FALSE_ALARM}:
        raise InputError(
            f"{_NAME} must have the columns {MISS} and {FALSE_ALARM} for several labels, a row for"
            f" each label, but got {listed(sorted(columns))}."
        )
    check_label_names(list(costs), task, subject=_NAME)
    found = [[costs[name][MISS], costs[name][FALSE_ALARM]] for name in task.names]
    for name, pair in zip(task.names, found, strict=True):
        if min(pair) <= 0.0:
            raise InputError(
                f"{_NAME} must have costs above 0 for several labels, but got"
                f" {MISS}={pair[0]:g} and {FALSE_ALARM}={pair[1]:g} for {name!r}."
            )
    return found


def cost_array(costs: Costs | ArrayLike, task: Task) -> NDArray[np.float64]:
    """Return a cost matrix of any form as an array in the order of the classes.

    Args:
        costs: As in `check_costs`, or numbers already in the order of the classes.
        task: The classes.

    Raises:
        InputError: The matrix does not fit the classes, or a cost is not finite.

    Shape:
        - output: ``(C, C)``, with reject ``(C, C + 1)``
    """
    if hasattr(costs, "columns") or isinstance(costs, Mapping | str) or hasattr(costs, "suffix"):
        named = check_costs(costs)  # type: ignore[arg-type]
        return np.array(_in_order(named or {}, task))
    array = np.asarray(costs, dtype=np.float64)
    shape = (task.n_classes, task.n_classes)
    with_reject = (task.n_classes, task.n_classes + 1)
    if array.shape not in (shape, with_reject) or not np.isfinite(array).all():
        raise InputError(
            f"{_NAME} must hold finite numbers of shape {shape}, but got {array.shape=}."
        )
    return array


def cost_notes(
    matrix: Sequence[Sequence[float]], classes: Sequence[Label], *, has_weights: bool = False
) -> tuple[str, ...]:
    """Return notes on suspicious costs, a sentence each.

    Args:
        matrix: Cost of a decision (column) given the true class (row).
        classes: The classes.
        has_weights: Whether class weights are given too.

    Shape:
        - matrix: ``(C, C)``
    """
    costs, names = np.asarray(matrix, dtype=np.float64), decisions_of(matrix, classes)
    same = np.ptp(costs, axis=1) == 0
    dearer = ~same & (np.diag(costs) > costs.min(axis=1))

    def of(wanted: NDArray[np.bool_]) -> str:
        return listed(name for name, is_wanted in zip(names, wanted, strict=False) if is_wanted)

    notes = []
    if same.any():
        notes.append(
            f"For true class {of(same)} every decision costs the same: the class does not "
            "influence decisions."
        )
    if dearer.any():
        notes.append(
            f"For true class {of(dearer)} a wrong decision costs less than the right decision: a "
            "cost matrix holds costs, not gains."
        )
    best = is_ever_cheapest(costs)
    if not best.all():
        notes.append(
            f"No probabilities lead to the decision {of(~best)}: some other decision always costs "
            "at most as much."
        )
    beside = weights_beside_costs(has_weights=has_weights, has_costs=True)
    return (*notes, beside) if beside else tuple(notes)


def is_ever_cheapest(matrix: ArrayLike) -> NDArray[np.bool_]:
    """Return which decisions are the cheapest for some probabilities; ties go to the first.

    A decision is never the cheapest if a mixture of other decisions costs at most as much for
    every true class: it then costs at most as much for all probabilities, and so does one of them.

    Shape:
        - matrix: ``(C, D)``
        - output: ``(D,)``

    Examples:
        >>> is_ever_cheapest([[0.0, 1.0, 0.6], [1.0, 0.0, 0.6], [1.0, 1.0, 0.6]]).tolist()
        [True, True, True]
        >>> is_ever_cheapest([[0.0, 1.0, 0.6], [1.0, 0.0, 0.6], [0.0, 0.0, 0.6]]).tolist()
        [True, True, False]
    """
    costs = np.asarray(matrix, dtype=np.float64)
    costs = costs / (np.ptp(costs, axis=1).max() or 1.0)
    return np.array([_is_ever_cheapest(costs, decision) for decision in range(costs.shape[1])])


def _is_ever_cheapest(costs: NDArray[np.float64], decision: int) -> bool:
    lead = costs - costs[:, [decision]]
    # An equal decision that comes later never wins.
    is_later = np.arange(costs.shape[1]) >= decision
    lead = lead[:, ~((lead == 0).all(axis=0) & is_later)]
    n_classes, n_others = lead.shape
    if not n_others or lead.min(axis=1).max() > _TOLERANCE:
        return True
    # Shares of the other decisions that sum to 1, and the amount by which the mixture is cheaper.
    mixture = np.block([[lead, np.eye(n_classes)], [np.ones(n_others), np.zeros(n_classes)]])
    # Loading it takes a while, and few searches have costs.
    from scipy.optimize import nnls

    _, misfit = nnls(mixture, np.append(np.zeros(n_classes), 1.0))
    return bool(misfit > _TOLERANCE)


def double_counting(
    loss: Mapping[str, Any], readout: str, *, has_costs: bool, metric: str = "error"
) -> str:
    """Return a warning if a model favours some classes twice, otherwise an empty string.

    A loss with class weights or an adjusted prior moves the softmax of its logits just as a cost
    matrix moves the decision: a weight of 10 for the positive class is the threshold 1/11 of the
    costs 10 to 1. Decisions are right if the read-out undoes the first before the second.

    Args:
        loss: The loss as dotted keys, as in `TrialRecord.loss`.
        readout: Name of its read-out, as in `TrialRecord.readout`.
        has_costs: Whether a cost matrix decides.
        metric: The study's metric; balanced error moves the decision too.

    Examples:
        >>> loss = {"base": "focal", "prior": "class_weight"}
        >>> double_counting(loss, "softmax+temperature", has_costs=True)[:47]
        'focal + class_weight counts the costs twice: it'
        >>> double_counting(loss, "prior", has_costs=True)
        ''
    """
    prior = str(loss.get("prior", "none"))
    is_undone = not readout.startswith("softmax")
    if prior == "none" or is_undone or not (has_costs or is_balanced(metric)):
        return ""
    return (
        f"{loss['base']} + {prior} counts the costs twice: its read-out, the softmax, keeps "
        f"the effect of {prior} on the probabilities, and {_MOVED[has_costs]}."
    )


def weights_beside_costs(*, has_weights: bool, has_costs: bool) -> str:
    """Return a warning if a user gives class weights and a cost matrix, else an empty string."""
    if not (has_weights and has_costs):
        return ""
    return (
        "Both class weights and a cost matrix are given: the read-out removes the weights from "
        "the probabilities, and only the cost matrix affects decisions. Put each cost into the "
        "matrix; in both places it would count twice."
    )
