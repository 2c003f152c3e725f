"""AdamW over a ``(K, P)`` buffer, every row at its own learning rate, weight decay and age."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.optim.adamw import adamw


class RowAdamW:
    """`torch.optim.AdamW` on all rows at once.

    A parameter group a row would do, at the price of some 40 microseconds of bookkeeping each: a
    tenth of a step. So torch's fused kernel steps a buffer of zeros at a rate of 1, which leaves
    the bare update ``-m / (sqrt(v) + eps)`` in it, and the rows take that at their own rates.

    The kernel counts steps, by which it corrects the moments, for a tensor as a whole. Rows that
    joined at different times are different tensors to it, slices of the one buffer. It is called
    without the class around it, whose first object takes a second to load torch's compiler.

    Args:
        rows: Weights, stepped in place.
        lr: Peak learning rates.
        weight_decay: Decoupled weight decays.

    Shape:
        - rows: ``(K, P)``
        - lr, weight_decay: ``(K,)``
    """

    def __init__(self, rows: Tensor, *, lr: Tensor, weight_decay: Tensor) -> None:
        rates = torch.stack([lr, weight_decay]).to(rows)
        self._begin(rows, rates, torch.zeros_like(rows.expand(2, -1, -1)), [0] * len(rows))

    def _begin(self, rows: Tensor, rates: Tensor, moments: Tensor, ages: Sequence[int]) -> None:
        """Go on with rows.

        Args:
            rows: Weights.
            rates: Learning rates and weight decays.
            moments: First and second moments.
            ages: Steps that each row has taken.

        Shape:
            - rows: ``(K, P)``
            - rates: ``(2, K)``
            - moments: ``(2, K, P)``
            - ages: ``K`` of them
        """
        self.rows = rows
        self.gradients = torch.zeros_like(rows)
        self._rates = rates
        self._moments = moments
        self._ages = list(ages)
        self._update = torch.zeros_like(rows)
        runs = [(age, len(list(run))) for age, run in itertools.groupby(ages)]
        buffers = (self._update, self.gradients, *moments)
        self._slices = [list(one.split([size for _, size in runs])) for one in buffers]
        # The kernel adds to these: one count for each tensor, where the tensor is.
        self._counts = [torch.tensor(float(age), device=rows.device) for age, _ in runs]

    @torch.no_grad()
    def step(self, lr_factor: float | Tensor) -> None:
        """Step every row by its gradient.

        Args:
            lr_factor: Share of the learning rates, one for all or ``(K,)``.
        """
        factor = lr_factor.to(self.rows) if isinstance(lr_factor, Tensor) else lr_factor
        lr = (self._rates[0] * factor)[:, None]
        updates, gradients, first, second = self._slices
        adamw(
            updates,
            gradients,
            first,
            second,
            [],
            self._counts,
            fused=True,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            eps=1e-8,
            lr=1.0,
            # A decay of 1 at a rate of 1 makes the buffer zero before each update.
            weight_decay=1.0,
            maximize=False,
        )
        self.rows.mul_(1.0 - lr * self._rates[1, :, None]).addcmul_(self._update, lr)
        self._ages = [age + 1 for age in self._ages]

    def keep(self, kept: Sequence[int]) -> RowAdamW:
        """Return the optimiser of the rows at `kept` alone, with their moments."""
        chosen = list(kept)
        other = object.__new__(RowAdamW)
        other._begin(
            self.rows[chosen],
            self._rates[:, chosen],
            self._moments[:, chosen],
            [self._ages[row] for row in chosen],
        )
        return other

    def joined(self, other: RowAdamW) -> RowAdamW:
        """Return the optimiser of these rows and, after them, those of another."""
        both = object.__new__(RowAdamW)
        both._begin(
            torch.cat([self.rows, other.rows]),
            torch.cat([self._rates, other._rates], dim=1),
            torch.cat([self._moments, other._moments], dim=1),
            [*self._ages, *other._ages],
        )
        return both
