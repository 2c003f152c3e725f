"""AdamW over a ``(K, P)`` buffer, every row at its own learning rate, weight decay and age."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor


class RowAdamW:
    """`torch.optim.AdamW` on all rows at once.

    A parameter group a row would do, at the price of some 40 microseconds of bookkeeping each: a
    tenth of a step. So torch's fused kernel steps a buffer of zeros at a rate of 1, which leaves
    the bare update ``-m / (sqrt(v) + eps)`` in it, and the rows take that at their own rates.

    The kernel counts steps, by which it corrects the moments, for a tensor as a whole. Rows that
    joined at different times are different tensors to it, slices of the one buffer.

    Args:
        rows: Weights, stepped in place.
        lr: Peak learning rates.
        weight_decay: Decoupled weight decays.
        sizes: How many neighbouring rows are of one age; by default all are.

    Shape:
        - rows: ``(K, P)``
        - lr, weight_decay: ``(K,)``
    """

    def __init__(
        self,
        rows: Tensor,
        *,
        lr: Tensor,
        weight_decay: Tensor,
        sizes: Sequence[int] | None = None,
    ) -> None:
        self.rows = rows
        self.gradients = torch.zeros_like(rows)
        self._sizes = [len(rows)] if sizes is None else list(sizes)
        self._lr = lr.to(rows).unsqueeze(1)
        self._weight_decay = weight_decay.to(rows).unsqueeze(1)
        self._update = torch.zeros_like(rows)
        self._ages = [
            part.requires_grad_() for part in torch.split_with_sizes(self._update, self._sizes)
        ]
        for part, gradients in zip(
            self._ages, torch.split_with_sizes(self.gradients, self._sizes), strict=True
        ):
            part.grad = gradients
        # A decay of 1 at a rate of 1 makes the buffer zero before each update.
        self._adam = torch.optim.AdamW(self._ages, lr=1.0, weight_decay=1.0, fused=True)

    @torch.no_grad()
    def step(self, lr_factor: float | Tensor) -> None:
        """Step every row by its gradient.

        Args:
            lr_factor: Share of the learning rates, one for all or ``(K,)``.
        """
        factor = lr_factor.to(self.rows)[:, None] if isinstance(lr_factor, Tensor) else lr_factor
        lr = self._lr * factor
        self._adam.step()
        self.rows.mul_(1.0 - lr * self._weight_decay).addcmul_(self._update, lr)

    def keep(self, kept: Sequence[int]) -> RowAdamW:
        """Return the optimiser of the rows at `kept` alone, with their moments."""
        chosen = list(kept)
        age_of = [age for age, size in enumerate(self._sizes) for _ in range(size)]
        first = list(itertools.accumulate(self._sizes, initial=0))
        runs = [
            (age, [row - first[age] for row in rows])
            for age, rows in itertools.groupby(chosen, key=age_of.__getitem__)
        ]
        other = RowAdamW(
            self.rows[chosen],
            lr=self._lr[chosen, 0],
            weight_decay=self._weight_decay[chosen, 0],
            sizes=[len(rows) for _, rows in runs],
        )
        for place, (age, rows) in enumerate(runs):
            other._remember(place, self, age, rows)
        return other

    def joined(self, other: RowAdamW) -> RowAdamW:
        """Return the optimiser of these rows and, after them, those of another."""
        both = RowAdamW(
            torch.cat([self.rows, other.rows]),
            lr=torch.cat([self._lr[:, 0], other._lr[:, 0]]),
            weight_decay=torch.cat([self._weight_decay[:, 0], other._weight_decay[:, 0]]),
            sizes=[*self._sizes, *other._sizes],
        )
        for place in range(len(self._sizes)):
            both._remember(place, self, place)
        for age in range(len(other._sizes)):
            both._remember(len(self._sizes) + age, other, age)
        return both

    def _remember(
        self, place: int, other: RowAdamW, age: int, rows: Sequence[int] | None = None
    ) -> None:
        """Take over the moments of rows of an age of another optimiser."""
        state = other._adam.state[other._ages[age]]
        if not state:
            return
        chosen = slice(None) if rows is None else list(rows)
        self._adam.state[self._ages[place]] = {
            "step": state["step"].clone(),
            "exp_avg": state["exp_avg"][chosen].clone(),
            "exp_avg_sq": state["exp_avg_sq"][chosen].clone(),
        }
