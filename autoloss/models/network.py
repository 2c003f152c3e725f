"""The interface between training and a network whose weights are rows of a ``(K, P)`` buffer."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor

from autoloss.losses import Mix
from autoloss.models.heads import Heads
from autoloss.models.layers import DropoutRates
from autoloss.models.layout import Layout


class Features:
    """A batch after `Network.encode`, which all candidates share: tensors by name.

    A network's `encode` says which names it makes and reads. Training moves, cuts and joins them
    along their first axes, and knows no name.

    Args:
        tensors: Each ``(G, B, ...)``, in the order of rows, or of tokens of sequences.
    """

    def __init__(self, **tensors: Tensor) -> None:
        self._tensors = tensors

    def __getitem__(self, name: str) -> Tensor:
        """Return the tensor of a name."""
        return self._tensors[name]

    @property
    def row_bytes(self) -> int:
        """Return the bytes of a row of a batch ``(B, ...)``."""
        return sum(math.prod(one.shape[1:]) * one.element_size() for one in self._tensors.values())

    def each(self, change: Callable[[Tensor], Tensor]) -> Features:
        """Return the features with every tensor changed."""
        return Features(**{name: change(one) for name, one in self._tensors.items()})

    @classmethod
    def of_each(
        cls, parts: Sequence[Features], join: Callable[[list[Tensor]], Tensor]
    ) -> Features:
        """Return several batches of the same names as one, by a function that joins tensors."""
        names = parts[0]._tensors
        return cls(**{name: join([part[name] for part in parts]) for name in names})


def joined_orders(parts: Sequence[Tensor], *, axis: int = 1) -> Tensor:
    """Return tensors joined along G; along `axis` the shorter tensors end in zeros.

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
        products: Type of the products in hidden layers; a custom module ignores it.
        sizes: The examples of each of the G batches; None if all have the same number.
        pool: Where the network may write the gradient of the weights that share a second moment,
            which it then returns to autograd, ``(K, ...)``; None if there are none.
    """

    places: Sequence[int]
    orders: Tensor | None
    draws: Draws
    rates: DropoutRates | None
    mix: Mix | None
    heads: Heads
    products: torch.dtype
    sizes: tuple[int, ...] | None = None
    pool: Tensor | None = None


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
        """Return the network in words for the plan; empty for a custom network."""

    @property
    def layout(self) -> Layout:
        """Return the names and shapes of a candidate's weights."""

    @property
    def settings(self) -> Mapping[str, object]:
        """Return the settings that the report shows; empty for a custom network."""

    @property
    def exact(self) -> torch.dtype:
        """Return the type of numbers in which a model predicts."""

    @property
    def widest(self) -> int:
        """Return the width of the widest activation."""

    @property
    def activations(self) -> int:
        """Return an upper bound of the numbers that a training step keeps for a row."""

    def initial(self, generator: torch.Generator) -> Tensor:
        """Draw the weights of a candidate, ``(P,)``."""

    def encode(self, inputs: Any) -> Features:
        """Return the features of a batch of encoded rows, ``(G, B, ...)`` or ``(B, ...)``.

        The network is made for a kind of input and reads no other.
        """

    def scores(
        self, weights: Mapping[str, Tensor], features: Features, step: StepInputs
    ) -> StepOutputs:
        """Return the outputs of a training step, from weights ``(K, ...)`` by name."""

    def body(
        self, weights: Mapping[str, Tensor], features: Features, *, heads: Heads | None = None
    ) -> Tensor:
        """Return the logits ``(K, B, C)`` of rows that all candidates predict; G = 1."""
