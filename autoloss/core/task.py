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
MISSING_LABEL = -100
"""Stands for a missing label among the targets of several labels or of tokens, as in torch."""
REJECT = "reject"
"""The decision for no class: a row is left to somebody else, at its own cost."""
YES_OR_NO: tuple[TaskKind, ...] = ("binary", "multilabel")
"""The tasks whose items have two classes, no and yes, of which one is positive."""


def kind_of_classes(n_classes: int) -> TaskKind:
    """Return the kind of a label that is one of C classes, where nothing but C is known."""
    return "binary" if n_classes == 2 else "multiclass"


@dataclass(frozen=True)
class Task:
    """The kind of label and its classes, in the order of the codes 0 .. C-1.

    Args:
        kind: ``"binary"`` (two classes, the positive class has code 1), ``"multiclass"``,
            ``"multilabel"`` (several labels a row, each with the classes no and yes) or
            ``"sequence"`` (a class for each token of a sequence).
        classes: The labels as in the data; ``classes[code]`` is the label of a code.
        target: The name of the target column.
        are_dates: Whether the labels were moments; `classes` holds them as ISO 8601.
        names: The names of several labels, in the order of their logits; else empty.
        constrained: Whether tags of sequences are decided so that each may follow the tag before.
    """

    kind: TaskKind
    classes: tuple[Label, ...]
    target: str = "target"
    are_dates: bool = False
    names: tuple[str, ...] = ()
    constrained: bool = False

    @classmethod
    def of_classes(cls, n_classes: int) -> Self:
        """Return the task of a loop that names its C classes by their codes alone."""
        return cls(kind_of_classes(n_classes), tuple(map(str, range(n_classes))), target="")

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Self:
        """Return the task from its JSON values."""
        return cls(
            state["kind"],
            tuple(state["classes"]),
            state["target"],
            are_dates=bool(state.get("are_dates", False)),
            names=tuple(state.get("names", ())),
            constrained=bool(state.get("constrained", False)),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the task as JSON values."""
        state: dict[str, Any] = {
            "kind": self.kind,
            "classes": list(self.classes),
            "target": self.target,
            "are_dates": self.are_dates,
        }
        if self.names:
            state["names"] = list(self.names)
        if self.constrained:
            state["constrained"] = True
        return state

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
    def n_outputs(self) -> int:
        """Return the number of logits of a row or of a token: C, or one for each label."""
        return len(self.outputs)

    @property
    def outputs(self) -> tuple[Label, ...]:
        """Return the classes, or the names of several labels."""
        return self.names if self.kind == "multilabel" else self.classes

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the names that the columns of the target may have."""
        return (self.target, *self.names)

    @property
    def tags(self) -> tuple[str, ...]:
        """Return the tags of sequences as text, in the order of the codes; else empty."""
        return tuple(map(str, self.classes)) if self.kind == "sequence" else ()

    @property
    def is_yes_or_no(self) -> bool:
        """Return whether an item has the classes no and yes, of which yes is positive."""
        return self.kind in YES_OR_NO

    @property
    def positive(self) -> Label | None:
        """Return the positive label of an item with two classes; None for more classes."""
        return self.classes[1] if self.is_yes_or_no else None
