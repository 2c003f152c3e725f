"""What the training asks of a network whose weights are rows of a ``(K, P)`` buffer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from autoloss.data import TableInputs
from autoloss.losses import Mix
from autoloss.models.heads import Heads
from autoloss.models.layers import DropoutRates
from autoloss.models.layout import Layout


@dataclass(frozen=True)
class Features:
    """A batch after `Network.encode`: what all candidates share.

    Args:
        dense: Numbers that the first layer reads, ``(G, B, D)``.
        codes: Codes of the embedded columns, offset into one table, ``(G, B, Q)``.
    """

    dense: Tensor
    codes: Tensor


class Draws(Protocol):
    """The random numbers of one step: functions of an order and its own step alone."""

    def uniform(self, width: int, dtype: torch.dtype) -> Tensor:
        """Draw numbers from [0, 1) for one layer, ``(G, B, width)``."""

    def seeds(self) -> list[int]:
        """Draw a seed for each of the G orders."""


@dataclass(frozen=True)
class Step:
    """What a network is told of one training step.

    Args:
        places: Which of the G batches each candidate reads, K numbers.
        orders: The same on the device, ``(K,)``; None if G = 1.
        draws: The random numbers.
        rates: Dropout rates of the candidates; None if all are 0.
        mix: The mixup of the step; None if no candidate mixes.
        heads: The last layer of each candidate.
        products: Type in which the products of hidden layers are taken; the user's own module
            takes them in the type of its weights.
    """

    places: Sequence[int]
    orders: Tensor | None
    draws: Draws
    rates: DropoutRates | None
    mix: Mix | None
    heads: Heads
    products: torch.dtype


@dataclass(frozen=True)
class Scores:
    """What a network makes of a mini-batch.

    Args:
        logits: ``(K, B, C)``.
        norms: What losses of an unbiased head need, ``(K, B, C)``; see `apply_heads`.
        state: Every weight that is not learnt as it is after the step, by name, each ``(K, ...)``.
    """

    logits: Tensor
    norms: Tensor | None = None
    state: Mapping[str, Tensor] = field(default_factory=dict)


class Network(Protocol):
    """A network for K candidates at once; what one of them gets depends on no other."""

    n_classes: int

    @property
    def layout(self) -> Layout:
        """Return the names and shapes of a candidate's weights."""

    @property
    def encoded_width(self) -> int:
        """Return D, the width of the dense part of `Features`."""

    @property
    def widest(self) -> int:
        """Return the numbers of the widest activation of a row."""

    @property
    def activations(self) -> int:
        """Return the numbers of a row that a training step keeps at most."""

    def initial(self, generator: torch.Generator) -> Tensor:
        """Draw one candidate's weights ``(P,)``."""

    def encode(self, inputs: TableInputs) -> Features:
        """Return what all candidates share of a batch, fields ``(G, B, ...)`` or ``(B, ...)``."""

    def scores(self, weights: Mapping[str, Tensor], features: Features, step: Step) -> Scores:
        """Return what a training step needs, from weights ``(K, ...)`` by name."""

    def body(
        self, weights: Mapping[str, Tensor], features: Features, *, heads: Heads | None = None
    ) -> Tensor:
        """Return the logits of rows that all candidates predict, G = 1, ``(K, B, C)``."""
