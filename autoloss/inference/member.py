"""The parts of a classifier: its training runs and their encodings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from autoloss.readout import Readout


@dataclass(frozen=True, eq=False)
class Member:
    """One training run of a classifier: its weights, and the encoding and read-out of its rows.

    Args:
        encoding: The encoding of its rows, of the same kind of input for all members.
        weights: The weights.
        readout: The map from logits to probabilities.
        class_counts: Training rows of each class.
        weight: Its weight in the mean, relative to the other members.

    Shape:
        - weights: ``(P,)``
        - class_counts: ``(C,)``
    """

    encoding: Any
    weights: Tensor
    readout: Readout
    class_counts: Tensor
    weight: float = 1.0


def encodings_of(members: Sequence[Member]) -> tuple[Any, ...]:
    """Return the distinct encodings of members; members may share them."""
    return tuple({id(member.encoding): member.encoding for member in members}.values())
