"""The labels of decisions, among them the decision for no class."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from autoloss.core.task import REJECT, Task
from autoloss.data.values import label_of


def rejects(task: Task, cost_matrix: Tensor | NDArray[Any] | None) -> bool:
    """Return whether costs have the decision for no class, the last of C + 1.

    Args:
        task: The task.
        cost_matrix: Cost of each decision (column) for each true class (row); None for none.
    """
    if cost_matrix is None or task.names:
        return False
    return int(cost_matrix.shape[1]) > task.n_classes


def decided_labels(
    task: Task, codes: NDArray[np.int64], cost_matrix: Tensor | NDArray[Any] | None
) -> NDArray[Any]:
    """Return the label of each decision; where a row may be rejected, all labels are texts.

    Args:
        task: The task.
        codes: The decisions.
        cost_matrix: The costs that decided; None for none.

    Shape:
        codes and result ``(N,)``.
    """
    if not rejects(task, cost_matrix):
        labels: NDArray[Any] = task.labels[codes]
        return labels
    texts = np.array([*map(label_of, task.classes), REJECT], dtype=object)
    found: NDArray[Any] = texts[codes]
    return found
