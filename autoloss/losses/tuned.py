"""The results of a search that go with a loss: its training settings and its read-out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Counts = tuple[float, ...] | tuple[tuple[float, ...], ...]
"""Rows of each class, ``(C,)``, or without and with each of several labels, ``(L, 2)``."""


def as_counts(values: Sequence[Any]) -> Counts:
    """Return counts as tuples.

    Examples:
        >>> as_counts([[90, 10], [50, 50]])
        ((90.0, 10.0), (50.0, 50.0))
    """
    if values and isinstance(values[0], Sequence):
        return tuple(tuple(map(float, row)) for row in values)
    return tuple(map(float, values))


@dataclass(frozen=True)
class Tuned:
    """The results of a search for a loss: the settings of its training, and its read-out.

    Args:
        lr: Peak learning rate of AdamW.
        weight_decay: Weight decay; None for none.
        dropout: Dropout rate in [0, 1); None for a network without dropout.
        readout: The scores whose softmax gives the probabilities: the logits (``"softmax"``), the
            logits with the prior undone (``"prior"``) or the loss's own posterior (``"link"``);
            None for the best read-out that the loss declares.
        inverse_temperature: Factor of the scores.
        mix: Weight of the uniform distribution in the probabilities.
        class_counts: Training rows of each class, or without and with each of several labels.
        class_weights: Class weights of the user.
        class_similarity: Similarity of the classes by the user, a row for each class.
    """

    lr: float
    weight_decay: float | None = None
    dropout: float | None = None
    readout: Literal["softmax", "prior", "link"] | None = None
    inverse_temperature: float = 1.0
    mix: float = 0.0
    class_counts: Counts | None = None
    class_weights: Counts | None = None
    class_similarity: tuple[tuple[float, ...], ...] | None = None
