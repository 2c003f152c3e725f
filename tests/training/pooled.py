"""The oracle of weights that share a second moment."""

from __future__ import annotations

import torch
from torch import Tensor


class Pooled:
    """AdamW, written out, in which the mean of the squared gradients takes the place of each.

    Args:
        weights: The weights, stepped in place.
        lr: The learning rate.
        weight_decay: The decoupled weight decay.
        pool: The places of the weights whose squares are pooled; None for all.
    """

    def __init__(
        self, weights: Tensor, *, lr: float, weight_decay: float, pool: range | None = None
    ) -> None:
        self._weights, self._lr, self._decay = weights, lr, weight_decay
        self._pool = range(weights.numel()) if pool is None else pool
        self._moments = [torch.zeros_like(weights).flatten() for _ in range(2)]
        self._steps = 0

    @torch.no_grad()
    def step(self, gradients: Tensor) -> None:
        """Take a step by the gradients of the weights."""
        self._steps += 1
        flat, places = gradients.flatten(), list(self._pool)
        squares = flat**2
        squares[places] = squares[places].mean()
        for moment, beta, value in zip(self._moments, (0.9, 0.999), (flat, squares), strict=True):
            moment.mul_(beta).add_(value, alpha=1 - beta)
        first, second = (
            moment / (1 - beta**self._steps)
            for moment, beta in zip(self._moments, (0.9, 0.999), strict=True)
        )
        change = (first / (second.sqrt() + 1e-8)).view_as(self._weights)
        self._weights.mul_(1 - self._lr * self._decay).sub_(self._lr * change)
