"""What kind of label is predicted: a value that data, losses, metrics and reports all read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Label = str | int | float | bool
TaskKind = Literal["binary", "multiclass", "multilabel", "sequence"]
CLASSES_ALONE: tuple[TaskKind, ...] = ("binary", "multiclass", "sequence")
"""The tasks whose labels are classes; labels of several yes and no have pairs of logits."""
ALL_TASKS: tuple[TaskKind, ...] = ("binary", "multiclass", "multilabel", "sequence")


@dataclass(frozen=True)
class Task:
    """The kind of label and its classes, in the order of the codes 0 .. C-1.

    Args:
        kind: ``"binary"`` (two classes, the positive one has code 1) or ``"multiclass"``.
        classes: The labels as they stand in the data; ``classes[code]`` is the label of a code.
        target: The name of the target column.
    """

    kind: TaskKind
    classes: tuple[Label, ...]
    target: str = "target"

    @property
    def n_classes(self) -> int:
        """Return the number of classes C."""
        return len(self.classes)

    @property
    def positive(self) -> Label | None:
        """Return the positive label of a binary task, None for more classes."""
        return self.classes[1] if self.kind == "binary" else None
