"""The kind of label that is predicted, which data, losses, metrics and reports read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

if TYPE_CHECKING:
    from numpy.typing import NDArray

Label = str | int | float | bool
TaskKind = Literal["binary", "multiclass", "multilabel", "sequence"]
CLASSES_ALONE: tuple[TaskKind, ...] = ("binary", "multiclass", "sequence")
"""The tasks whose labels are classes; multi-label tasks have a pair of logits for each label."""
ALL_TASKS: tuple[TaskKind, ...] = ("binary", "multiclass", "multilabel", "sequence")


@dataclass(frozen=True)
class Task:
    """The kind of label and its classes, in the order of the codes 0 .. C-1.

    Args:
        kind: ``"binary"`` (two classes, the positive one has code 1) or ``"multiclass"``.
        classes: The labels as in the data; ``classes[code]`` is the label of a code.
        target: The name of the target column.
        are_dates: Whether the labels were moments; `classes` holds them as ISO 8601.
    """

    kind: TaskKind
    classes: tuple[Label, ...]
    target: str = "target"
    are_dates: bool = False

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Self:
        """Return the task from its JSON values."""
        are_dates = bool(state.get("are_dates", False))
        return cls(state["kind"], tuple(state["classes"]), state["target"], are_dates)

    @property
    def labels(self) -> NDArray[Any]:
        """Return the labels as in the data: moments as moments, long numbers exact."""
        import numpy as np

        if self.are_dates:
            return np.array(self.classes, dtype="datetime64")
        labels = np.array(self.classes)
        is_whole = all(isinstance(label, int) for label in self.classes)
        # numpy makes floats of numbers beyond 64 bits.
        return (
            labels
            if labels.dtype.kind in "biu" or not is_whole
            else np.array(self.classes, dtype=object)
        )

    @property
    def n_classes(self) -> int:
        """Return the number of classes C."""
        return len(self.classes)

    @property
    def positive(self) -> Label | None:
        """Return the positive label of a binary task; None for more classes."""
        return self.classes[1] if self.kind == "binary" else None
