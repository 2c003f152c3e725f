"""The place of each weight of a candidate in its row of the ``(K, P)`` buffer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor


@dataclass(frozen=True)
class Layout:
    """Names and shapes of a network's weights, in the order in which they lie in a row.

    Args:
        shapes: Shape of each weight by name, without the K axis.
        state: Names of the weights that are not learnt: running statistics and frozen parameters.
            A row includes them, so that they are copied, dropped and shipped with the others.
        factors: The share of the learning rate of weights whose rate is not the whole, by name.
        pooled: The name of the weights that share a second moment in training; empty for none.
    """

    shapes: Mapping[str, tuple[int, ...]]
    state: frozenset[str] = frozenset()
    factors: Mapping[str, float] = field(default_factory=dict)
    pooled: str = ""

    @cached_property
    def size(self) -> int:
        """Return P, the number of weights of a candidate."""
        return sum(math.prod(shape) for shape in self.shapes.values())

    @property
    def shares(self) -> Tensor | None:
        """Return the share of the learning rate of each weight, ``(P,)``; None for the whole."""
        if not self.factors:
            return None
        return self.row(
            {
                name: torch.full(shape, self.factors.get(name, 1.0))
                for name, shape in self.shapes.items()
            }
        )

    @property
    def pool(self) -> range:
        """Return the places in a row of the weights that share a second moment."""
        if not self.pooled:
            return range(0)
        before = list(self.shapes)[: list(self.shapes).index(self.pooled)]
        first = sum(math.prod(self.shapes[name]) for name in before)
        return range(first, first + math.prod(self.shapes[self.pooled]))

    def views(self, rows: Tensor) -> dict[str, Tensor]:
        """Return every weight as a view of `rows`.

        Shape:
            - rows: ``(K, P)``
            - each value: ``(K, *shape)``
        """
        if rows.ndim != 2 or rows.shape[1] != self.size:
            raise ValueError(
                f"rows must have shape (K, {self.size}), but got {tuple(rows.shape)=}."
            )
        views, start = {}, 0
        for name, shape in self.shapes.items():
            end = start + math.prod(shape)
            views[name] = rows[:, start:end].view(len(rows), *shape)
            start = end
        return views

    def row(self, weights: Mapping[str, Tensor]) -> Tensor:
        """Return the weights of a candidate, given by name, as a row ``(P,)``."""
        return torch.cat([weights[name].reshape(-1) for name in self.shapes])
