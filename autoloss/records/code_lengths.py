"""Code lengths of labels in bits: a model as a way to compress the labels of rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class CodeBlock:
    """A block of the training order, coded with the rows before it.

    Args:
        before: Rows before it: the networks learnt from them; 0 for the first block, which the
            class shares code alone.
        labels: Its labels, or its tags.
        prior: Bits a label with the class shares, which each label updates.
        challenger: Bits a label with the challenger.
        baseline: Bits a label with tuned cross-entropy.
    """

    before: int
    labels: int
    prior: float
    challenger: float
    baseline: float


@dataclass(frozen=True)
class TrainingCode:
    """Codes that send all labels of the training rows, and so include the cost of the model.

    Args:
        order: The order of the rows: ``"random"``, groups whole, or ``"time"``.
        rows: The rows.
        labels: Their labels, or their tags.
        prior: Bits a label with the class shares, which each label updates.
        two_part: Bits a label of challenger and tuned cross-entropy by the two-part code: half of
            ``log2 rows`` for each weight of a network, then the labels given the network.
        weights: Weights of a network.
        prequential: Bits a label of both by the prequential code: each block with networks that
            learnt from the blocks before it.
        blocks: The blocks of the prequential code.
    """

    order: Literal["random", "time"]
    rows: int
    labels: int
    prior: float
    two_part: tuple[float, float]
    weights: int
    prequential: tuple[float, float]
    blocks: tuple[CodeBlock, ...]


@dataclass(frozen=True)
class CodeLengths:
    """Bits a label on the rows of the verdict, and on the training rows on request.

    Args:
        labels: Labels of the rows of the verdict, or their tags.
        prior: Bits a label with the class shares of the training rows alone.
        challenger: Bits a label with the challenger as it would ship: its log loss over ln 2.
        baseline: The same with tuned cross-entropy.
        training: The codes of the training rows; None without a request.
        reason: Why the training rows have no requested code; else empty.
    """

    labels: int
    prior: float
    challenger: float
    baseline: float
    training: TrainingCode | None = None
    reason: str = ""
