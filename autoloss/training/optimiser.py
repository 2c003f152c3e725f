"""AdamW over a ``(K, P)`` buffer with a rate, weight decay and age a row; its rate schedule."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

_VECTOR = 16
"""The longest vector of the kernel in float32: it steps the numbers after the last whole vector by
other instructions, which round differently."""
_CACHED = 1 << 20
"""Numbers of the rows in a call of the kernel on a CPU, whose caches hold two such buffers."""
_LONG = 1 << 13
"""Numbers in a row from which on a call for each row is faster on a CPU."""
_BETAS, _EPSILON = (0.9, 0.999), 1e-8


@dataclass(frozen=True)
class _Block:
    """Neighbouring rows of one age.

    Args:
        rows: Their positions in the buffer.
        weights: Their weights, ``(k, P)``.
        gradients: Their gradients, filled up to whole vectors, ``(k, P')``.
        moments: Their first and second moments, ``(2, k, P')``.
        count: Their number of steps so far.
    """

    rows: slice
    weights: Tensor
    gradients: Tensor
    moments: Tensor
    count: Tensor

    def step(self, stepped: Tensor, *, lr: float, weight_decay: float) -> None:
        """Step a buffer of the shape of the gradients by torch's fused kernel of AdamW."""
        torch._fused_adamw_(
            [stepped],
            [self.gradients],
            [self.moments[0]],
            [self.moments[1]],
            [],
            [self.count],
            lr=lr,
            beta1=_BETAS[0],
            beta2=_BETAS[1],
            weight_decay=weight_decay,
            eps=_EPSILON,
            amsgrad=False,
            maximize=False,
        )


@dataclass(frozen=True)
class _Pool:
    """Weights of a row that share a second moment.

    Args:
        rows: The position of the row.
        weights: The weights, ``(1, n)``.
        gradients: Their gradients, ``(1, n)``.
        moments: Their first moments, and their second moment in the first place; ``(2, 1, n)``.
        count: The number of steps so far.
    """

    rows: slice
    weights: Tensor
    gradients: Tensor
    moments: Tensor
    count: Tensor

    def step(self, stepped: Tensor, *, lr: float, weight_decay: float) -> None:
        """Step weights by the mean of their squared gradients in place of each square."""
        first, second = self.moments[0], self.moments[1, :, :1]
        # A tensor for each number would cost more than the passes over a few thousand weights.
        norm, count = float(torch.linalg.vector_norm(self.gradients)), float(self.count)
        square = _BETAS[1] * float(second)
        square += (1.0 - _BETAS[1]) * norm * norm / self.gradients.numel()
        second.fill_(square)
        first.lerp_(self.gradients, 1.0 - _BETAS[0])
        rate = lr / (1.0 - _BETAS[0] ** count)
        rate /= math.sqrt(square / (1.0 - _BETAS[1] ** count)) + _EPSILON
        stepped.mul_(1.0 - lr * weight_decay).add_(first, alpha=-rate)


def _blocks(ages: Sequence[int], size: int) -> Iterator[tuple[int, int, int]]:
    """Return the first row, the number of rows and the age of all blocks of `size` at most.

    Examples:
        >>> list(_blocks([7, 7, 7, 2], 2))
        [(0, 2, 7), (2, 1, 7), (3, 1, 2)]
    """
    first = 0
    for age, run in itertools.groupby(ages):
        ends = first + len(list(run))
        while first < ends:
            n = min(size, ends - first)
            yield first, n, age
            first += n


class RowAdamW:
    """`torch.optim.AdamW` on all rows at once.

    A parameter group for each row would cost some 40 microseconds of bookkeeping, a tenth of a
    step. Instead, torch's fused kernel steps a buffer of zeros at a rate of 1, which then holds
    the update ``-m / (sqrt(v) + eps)``, and each row adds it at its own rate. A call takes as many
    rows as stay in the caches until they are updated. Gradients and moments are filled up to whole
    vectors of the processor, so that a row is rounded alike in any place.

    The kernel has one count of steps, which corrects the moments, for a whole tensor. Rows that
    joined at different times are therefore separate tensors, slices of the one buffer. The kernel
    is called without `torch.optim.AdamW`, because the first object of that class takes a second to
    load torch's compiler.

    On a CPU the kernel steps long rows one by one, each at its own rate, without a pass over an
    update.

    Weights of a pool have the mean of their squared gradients as second moment (Zhang et al. 2024,
    Adam-mini: Use Fewer Learning Rates To Gain More, arXiv:2406.16793, alg. 2). Moments of their
    own would let a weight whose gradient is mostly zero, as of a rare word, move as far as others.

    Args:
        rows: Weights, stepped in place.
        lr: Peak learning rates.
        weight_decay: Decoupled weight decays.
        shares: The share of the learning rate of each weight; None if all have the whole.
        pool: The places of the pool in a row.

    Shape:
        - rows: ``(K, P)``
        - lr, weight_decay: ``(K,)``
        - shares: ``(P,)``
    """

    def __init__(
        self,
        rows: Tensor,
        *,
        lr: Tensor,
        weight_decay: Tensor,
        shares: Tensor | None = None,
        pool: range = range(0),
    ) -> None:
        self._shares = None if shares is None else shares.to(rows)
        self._pool = pool
        rates = torch.stack([lr, weight_decay]).to(rows)
        is_filled = not self._are_single(rows)
        filled = -(-rows.shape[1] // _VECTOR) * _VECTOR if is_filled else rows.shape[1]
        self._begin(rows, rates, rows.new_zeros(2, len(rows), filled), [0] * len(rows))

    def _begin(self, rows: Tensor, rates: Tensor, moments: Tensor, ages: Sequence[int]) -> None:
        """Continue with these rows.

        Args:
            rows: Weights.
            rates: Learning rates and weight decays.
            moments: First and second moments.
            ages: Steps that each row has taken.

        Shape:
            - rows: ``(K, P)``
            - rates: ``(2, K)``
            - moments: ``(2, K, P')``
            - ages: ``K`` of them
        """
        self.rows = rows
        gradients = torch.zeros_like(moments[0])
        self.gradients = gradients[:, : rows.shape[1]]
        self._rates = rates
        self._moments = moments
        self._ages = list(ages)
        size = len(rows)
        if self._are_single(rows):
            size = 1
        elif rows.device.type == "cpu":
            size = max(1, _CACHED // max(1, gradients.shape[1]))
        self._update = torch.empty_like(gradients[:size])
        self._blocks: list[_Block | _Pool] = []
        for first, n, age in _blocks(ages, size):
            for kind, columns in self._parts(rows.shape[1]):
                own = slice(first, first + n), columns
                self._blocks.append(
                    kind(
                        own[0],
                        rows[own],
                        gradients[own],
                        moments[:, *own],
                        # The kernel counts the steps here, on the device.
                        torch.tensor(float(age), device=rows.device),
                    )
                )

    def _are_single(self, rows: Tensor) -> bool:
        """Return whether rows are stepped one by one."""
        is_long = rows.device.type == "cpu" and rows.shape[1] >= _LONG
        return is_long or len(self._pool) > 0

    def _parts(self, size: int) -> list[tuple[type[_Block | _Pool], slice]]:
        """Return the parts of a row of some weights."""
        if not self._pool:
            return [(_Block, slice(None))]
        first, end = self._pool.start, self._pool.stop
        parts: list[tuple[type[_Block | _Pool], slice]] = [(_Pool, slice(first, end))]
        if first > 0:
            parts.append((_Block, slice(0, first)))
        if end < size:
            parts.append((_Block, slice(end, size)))
        return parts

    @torch.no_grad()
    def step(self, lr_factor: float | Tensor) -> None:
        """Step every row by its gradient.

        Args:
            lr_factor: Share of the learning rates, one for all or ``(K,)``.
        """
        factor = lr_factor.to(self.rows) if isinstance(lr_factor, Tensor) else lr_factor
        lr = self._rates[0] * factor
        before = None if self._shares is None else self.rows.clone()
        torch._foreach_add_([block.count for block in self._blocks], 1.0)
        if self._are_single(self.rows):
            rates, decays = lr.tolist(), self._rates[1].tolist()
            for block in self._blocks:
                row = block.rows.start
                block.step(block.weights, lr=rates[row], weight_decay=decays[row])
        else:
            self._step_blocks(lr[:, None])
        if before is not None and self._shares is not None:
            # A step of AdamW is proportional to its rate, decay included.
            self.rows.copy_(before.lerp_(self.rows, self._shares.expand_as(before)))
        self._ages = [age + 1 for age in self._ages]

    def _step_blocks(self, lr: Tensor) -> None:
        """Step every block; the learning rates are ``(K, 1)``."""
        kept = 1.0 - lr * self._rates[1, :, None]
        for block in self._blocks:
            update = self._update[: len(block.gradients)].zero_()
            block.step(update, lr=1.0, weight_decay=0.0)
            update = update[:, : block.weights.shape[1]]
            block.weights.mul_(kept[block.rows]).addcmul_(update, lr[block.rows])

    def keep(self, kept: Sequence[int]) -> RowAdamW:
        """Return the optimiser of the rows at `kept` alone, with their moments."""
        chosen = list(kept)
        other = object.__new__(RowAdamW)
        other._shares = self._shares
        other._pool = self._pool
        other._begin(
            self.rows[chosen],
            self._rates[:, chosen],
            self._moments[:, chosen],
            [self._ages[row] for row in chosen],
        )
        return other

    def joined(self, other: RowAdamW) -> RowAdamW:
        """Return the optimiser of these rows, followed by another optimiser's rows."""
        both = object.__new__(RowAdamW)
        both._shares = self._shares
        both._pool = self._pool
        both._begin(
            torch.cat([self.rows, other.rows]),
            torch.cat([self._rates, other._rates], dim=1),
            torch.cat([self._moments, other._moments], dim=1),
            [*self._ages, *other._ages],
        )
        return both


@torch.no_grad()
def clip_(gradients: Tensor, most: float) -> None:
    """Scale down every row whose norm is larger, in place, as `torch.nn.utils.clip_grad_norm_`.

    Args:
        gradients: The gradients of the candidates.
        most: The largest norm.

    Shape:
        gradients ``(K, P)``.
    """
    norms = torch.linalg.vector_norm(gradients, dim=1, keepdim=True)
    gradients.mul_((most / (norms + 1e-6)).clamp_max(1.0))


def lr_factor(step: int, total: int, *, warmup: float, decay: float) -> float:
    """Return the share of the peak learning rate at `step`: linear rise, constant, linear fall.

    Args:
        step: The candidate's own step, from 0.
        total: Its steps in all.
        warmup: Share of the steps in which the rate rises to its peak.
        decay: Share of the steps, at the end, in which it falls to zero.
    """
    rising = (step + 1) / max(1.0, warmup * total)
    falling = (total - step) / max(1.0, decay * total)
    return min(1.0, rising, falling)
