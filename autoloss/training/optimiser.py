"""AdamW over a ``(K, P)`` buffer, every row at its own learning rate and weight decay."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


class RowAdamW:
    """`torch.optim.AdamW` on all rows at once.

    A parameter group a row would do, at the price of some 40 microseconds of bookkeeping each: a
    tenth of a step. So torch's fused kernel steps a buffer of zeros at a rate of 1, which leaves
    the bare update ``-m / (sqrt(v) + eps)`` in it, and the rows take that at their own rates.

    Args:
        rows: Weights, stepped in place.
        lr: Peak learning rates.
        weight_decay: Decoupled weight decays.

    Shape:
        - rows: ``(K, P)``
        - lr, weight_decay: ``(K,)``
    """

    def __init__(self, rows: Tensor, *, lr: Tensor, weight_decay: Tensor) -> None:
        self.rows = rows
        self.gradients = torch.zeros_like(rows)
        self._lr = lr.to(rows).unsqueeze(1)
        self._weight_decay = weight_decay.to(rows).unsqueeze(1)
        self._update = torch.zeros_like(rows).requires_grad_()
        self._update.grad = self.gradients
        # A decay of 1 at a rate of 1 makes the buffer zero before each update.
        self._adam = torch.optim.AdamW([self._update], lr=1.0, weight_decay=1.0, fused=True)

    @torch.no_grad()
    def step(self, lr_factor: float) -> None:
        """Step every row by its gradient, at `lr_factor` times its learning rate."""
        lr = self._lr * lr_factor
        self._adam.step()
        self.rows.mul_(1.0 - lr * self._weight_decay).addcmul_(self._update, lr)

    def keep(self, kept: Sequence[int]) -> RowAdamW:
        """Return the optimiser of the rows at `kept` alone, with their moments."""
        chosen = list(kept)
        other = RowAdamW(
            self.rows[chosen], lr=self._lr[chosen, 0], weight_decay=self._weight_decay[chosen, 0]
        )
        state = self._adam.state[self._update]
        if state:
            other._adam.state[other._update] = {
                "step": state["step"].clone(),
                "exp_avg": state["exp_avg"][chosen],
                "exp_avg_sq": state["exp_avg_sq"][chosen],
            }
        return other
