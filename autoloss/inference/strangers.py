"""The score of strangeness that predictions have, by its name."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from autoloss.core.errors import InputError
from autoloss.core.task import Task
from autoloss.data.messages import unknown_name
from autoloss.metrics.strangers import OF_LOGITS


def ood_score(task: Task, name: str) -> Callable[[Tensor], Tensor]:
    """Return a score of strangeness, a function of the logits ``(R, N, C)`` of R trainings.

    Args:
        task: The task of the model.
        name: Its name.

    Raises:
        InputError: The score is unknown, or a row of the task has several labels or is a sequence.
    """
    if task.names or task.kind == "sequence":
        raise InputError(
            "--ood-score must be left out for a model of several labels a row or of sequences: "
            "the scores are those of one class a row."
        )
    if name not in OF_LOGITS:
        raise unknown_name("--ood-score must be a score of strangeness", name, list(OF_LOGITS))
    return OF_LOGITS[name]
