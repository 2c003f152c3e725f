"""The cheapest decisions by a cost matrix, their costs, and the thresholds of labels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from autoloss.core.errors import InputError

EXPECTED_COST = "expected_cost"
Matrix = tuple[tuple[float, ...], ...]


def cost_decisions(probs: Tensor, cost_matrix: Tensor | Sequence[Sequence[float]]) -> Tensor:
    """Return the decision of least expected cost, ``argmin_d sum_c p_c C[c, d]``; ties the first.

    Args:
        probs: Calibrated probabilities: decisions are cheapest where these are right.
        cost_matrix: Cost of a decision (column) where a class is true (row), in any unit; a column
            after the classes is the decision for none of them.

    Shape:
        probs (..., N, C), cost_matrix (C, D), result (..., N), int64.

    Examples:
        >>> probs = torch.tensor([[0.92, 0.08], [0.90, 0.10]])
        >>> cost_decisions(probs, [[0.0, 1.0], [10.0, 0.0]])
        tensor([0, 1])

    Source:
        Elkan 2001, The Foundations of Cost-Sensitive Learning, IJCAI, eq. 1.
    """
    costs = torch.as_tensor(cost_matrix, dtype=torch.float64, device=probs.device)
    return (probs.double() @ costs).argmin(-1)


def example_costs(
    log_probs: Tensor, targets: Tensor, cost_matrix: Tensor | Sequence[Sequence[float]]
) -> Tensor:
    """Return the cost of the cheapest decision for each example, given its true class.

    Args:
        log_probs: Log probabilities.
        targets: Classes 0 .. C-1.
        cost_matrix: As in `cost_decisions`.

    Shape:
        log_probs (K, N, C), targets (N,), cost_matrix (C, D), result (K, N), float64, in the
        matrix's unit; NaN where a probability is.
    """
    costs = torch.as_tensor(cost_matrix, dtype=torch.float64, device=log_probs.device)
    paid = costs[targets, cost_decisions(log_probs.exp(), costs)]
    return torch.where(torch.isnan(log_probs).any(-1), torch.nan, paid)


def expected_cost(
    log_probs: Tensor,
    targets: Tensor,
    cost_matrix: Tensor | Sequence[Sequence[float]],
    *,
    row_costs: Tensor | None = None,
) -> Tensor:
    """Return the mean cost of the cheapest decisions, per example; lower is better.

    With a cost of 1 for every wrong decision it is the error.

    Args:
        log_probs: Log probabilities.
        targets: Classes 0 .. C-1.
        cost_matrix: As in `cost_decisions`.
        row_costs: The cost of each row, by which those of its decisions are multiplied; they move
            no decision. None for 1.

    Shape:
        log_probs (K, N, C), targets and row_costs (N,), cost_matrix (C, D), result (K,), in the
        unit of the costs.

    Examples:
        >>> log_probs = torch.tensor([[[0.92, 0.08], [0.90, 0.10]]]).log()
        >>> expected_cost(log_probs, torch.tensor([0, 0]), [[0.0, 1.0], [10.0, 0.0]]).item()
        0.5
    """
    paid = example_costs(log_probs, targets, cost_matrix)
    return (paid if row_costs is None else paid * row_costs.to(paid)).mean(-1)


def label_thresholds(costs: Tensor) -> Tensor:
    """Return the threshold of each label: the probability above which yes is cheaper, in (0, 1).

    ``t = (C[0, 1] - C[0, 0]) / ((C[0, 1] - C[0, 0]) + (C[1, 0] - C[1, 1]))``, where ``C[y, d]`` is
    the cost of decision d where y is true, each no (0) or yes (1).

    Args:
        costs: A cost matrix of no and yes for each of several labels.

    Raises:
        InputError: A wrong decision is not dearer than the right decision.

    Shape:
        costs (L, 2, 2), result (L,), float64.

    Examples:
        >>> label_thresholds(torch.tensor([[[0.0, 1.0], [10.0, 0.0]], [[0.0, 2.0], [12.0, 1.0]]]))
        tensor([0.0909, 0.1538], dtype=torch.float64)

    Source:
        Elkan 2001, The Foundations of Cost-Sensitive Learning, IJCAI, eq. 2.
    """
    costs = costs.double()
    if costs.ndim != 3 or costs.shape[1:] != (2, 2) or not bool(costs.isfinite().all()):
        raise InputError(
            "costs must be finite numbers of shape (L, 2, 2), a matrix of no and yes for each "
            f"label, but got costs.shape={tuple(costs.shape)}."
        )
    false_yes = costs[:, 0, 1] - costs[:, 0, 0]
    false_no = costs[:, 1, 0] - costs[:, 1, 1]
    is_wrong = (false_yes <= 0) | (false_no <= 0)
    if bool(is_wrong.any()):
        label = int(is_wrong.nonzero()[0])
        raise InputError(
            "costs must make a wrong decision more expensive than the right one, but got "
            f"costs[{label}]={costs[label].tolist()}."
        )
    return false_yes / (false_yes + false_no)


def pair_thresholds(pairs: Matrix) -> Tensor:
    """Return the threshold of each label from its costs of a miss and of a false alarm.

    Args:
        pairs: The two costs of each label, above 0.

    Shape:
        pairs (L, 2), result (L,), float64.

    Examples:
        >>> pair_thresholds(((10.0, 1.0), (1.0, 1.0)))
        tensor([0.0909, 0.5000], dtype=torch.float64)
    """
    costs = torch.zeros(len(pairs), 2, 2, dtype=torch.float64)
    costs[:, 1, 0], costs[:, 0, 1] = torch.tensor(pairs, dtype=torch.float64).T
    return label_thresholds(costs)


def label_decisions(probs: Tensor, thresholds: Tensor) -> Tensor:
    """Return the labels whose probability is above their threshold.

    Args:
        probs: Probability of yes for each label.
        thresholds: The thresholds of `label_thresholds`.

    Shape:
        probs (..., L), thresholds (L,), result (..., L), bool.
    """
    return probs.double() > thresholds.to(probs.device)
