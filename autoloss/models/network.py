"""The interface between training and a network whose weights are rows of a ``(K, P)`` buffer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor

from autoloss.losses import Mix
from autoloss.models.heads import Heads
from autoloss.models.layers import DropoutRates
from autoloss.models.layout import Layout


@dataclass(frozen=True)
class Features:
    """A batch after `Network.encode`, which all candidates share.

    An example of a table is a row; those of sequences are their tokens, one after the other.

    Args:
        dense: Numbers for the first layer, ``(G, B, D)``.
        codes: Codes of the embedded columns, offset into one table, ``(G, B, Q)``.
        around: The tokens before and after each token in its sequence, ``(G, B, 2)``; None for
            rows of a table.
    """

    dense: Tensor
    codes: Tensor
    around: Tensor | None = None

    def each(self, change: Callable[[Tensor], Tensor]) -> Features:
        """Return the features with every field changed."""
        around = None if self.around is None else change(self.around)
        return Features(change(self.dense), change(self.codes), around)

    @classmethod
    def joined(cls, parts: Sequence[Features]) -> Features:
        """Return the orders of several batches, one after the other; short ones end in zeros."""
        around = [part.around for part in parts if part.around is not None]
        return cls(
            dense=joined_orders([part.dense for part in parts]),
            codes=joined_orders([part.codes for part in parts]),
            around=joined_orders(around) if around else None,
        )


def joined_orders(parts: Sequence[Tensor], *, axis: int = 1) -> Tensor:
    """Return tensors joined along G; along `axis` the shorter ones end in zeros.

    Shape:
        each ``(G_i, ..., B_i, ...)`` → ``(sum of G_i, ..., longest B, ...)``
    """
    axis %= parts[0].ndim
    longest = max(part.shape[axis] for part in parts)

    def padded(part: Tensor) -> Tensor:
        short = longest - part.shape[axis]
        if not short:
            return part
        zeros = part.new_zeros(*part.shape[:axis], short, *part.shape[axis + 1 :])
        return torch.cat([part, zeros], axis)

    return torch.cat([padded(part) for part in parts])


class Draws(Protocol):
    """The random numbers of a step, which depend on the order and its own step alone."""

    def levels(self, depth: int, width: int, sizes: Sequence[int] | None = None) -> Tensor:
        """Draw dropout's levels, int16 from 0 to 32 767, ``(depth, G, B, width)``."""

    def seeds(self) -> list[int]:
        """Draw a seed for each of the G orders."""


@dataclass(frozen=True)
class StepInputs:
    """The inputs of a network in a training step, beside weights and features.

    Args:
        places: The number of the batch, of G, that each candidate reads; K numbers.
        orders: The same on the device, ``(K,)``; None if G = 1.
        draws: The random numbers.
        rates: Dropout rates of the candidates; None if all are 0.
        mix: The mixup of the step; None if no candidate mixes.
        heads: The last layer of each candidate.
        products: Type of the products in hidden layers; the user's own module ignores it.
        sizes: The examples of each of the G batches; None if all have the same number.
    """

    places: Sequence[int]
    orders: Tensor | None
    draws: Draws
    rates: DropoutRates | None
    mix: Mix | None
    heads: Heads
    products: torch.dtype
    sizes: tuple[int, ...] | None = None


@dataclass(frozen=True)
class StepOutputs:
    """The outputs of a network for a batch in training.

    Args:
        logits: ``(K, B, C)``.
        norms: The norms that losses of an unbiased head need, ``(K, B, C)``; see `apply_heads`.
        state: The weights that are not learnt, after the step, by name; each ``(K, ...)``.
    """

    logits: Tensor
    norms: Tensor | None = None
    state: Mapping[str, Tensor] = field(default_factory=dict)


class Network(Protocol):
    """A network for K candidates at once; the result of each is independent of the others."""

    n_classes: int

    @property
    def text(self) -> str:
        """Return the network in words for the plan; empty for the user's own."""

    @property
    def layout(self) -> Layout:
        """Return the names and shapes of a candidate's weights."""

    @property
    def encoded_width(self) -> int:
        """Return D, the width of the dense part of `Features`."""

    @property
    def widest(self) -> int:
        """Return the width of the widest activation."""

    @property
    def activations(self) -> int:
        """Return an upper bound of the numbers that a training step keeps for a row."""

    def initial(self, generator: torch.Generator) -> Tensor:
        """Draw the weights of a candidate, ``(P,)``."""

    def encode(self, inputs: Any) -> Features:
        """Return the features of a batch with fields ``(G, B, ...)`` or ``(B, ...)``.

        Inputs are `TableInputs`, or `SequenceInputs` for a network of sequences.
        """

    def scores(
        self, weights: Mapping[str, Tensor], features: Features, step: StepInputs
    ) -> StepOutputs:
        """Return the outputs of a training step, from weights ``(K, ...)`` by name."""

    def body(
        self, weights: Mapping[str, Tensor], features: Features, *, heads: Heads | None = None
    ) -> Tensor:
        """Return the logits ``(K, B, C)`` of rows that all candidates predict; G = 1."""
