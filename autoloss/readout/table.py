"""Scores laid out for fitting temperatures: a single pass gives the derivatives of all folds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import torch
from torch import Tensor

# Elements of a block: few enough for the cache of a core, many enough to hide the cost of a call.
_CPU_BLOCK = 1 << 18
_GPU_BLOCK = 1 << 26
# A score this far below the largest has no probability at any temperature of the search.
_LOWEST = -1e12


class ScoreTable(Protocol):
    """V rows of scores on N examples, evaluated at an inverse temperature each."""

    n_rows: int
    n_classes: int
    folds: Tensor
    n_folds: int

    def moments(self, log_beta: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return the first and second derivative of the log loss by the inverse temperature.

        Args:
            log_beta: Log inverse temperatures, shape (P,).
            rows: The row of each, shape (P,).

        Returns:
            Sums over the examples of each fold, two tensors of shape (P, F), float64.
        """
        ...

    def target_probs(self, log_beta: Tensor) -> Tensor:
        """Return the probability of the true class, shape (V, N), for (V,) or (V, F) log betas."""
        ...

    def wrong(self, rows: Tensor) -> Tensor:
        """Return whether the largest score is not the true class, shape (P, N)."""
        ...


def make_table(
    parts: Sequence[Tensor],
    targets: Tensor,
    folds: Tensor,
    *,
    n_folds: int,
    weights: Tensor | None = None,
) -> ScoreTable:
    """Return the table of scores from several sources.

    Args:
        parts: Finite scores, shapes (K_i, N, C); their V rows are numbered in this order.
        targets: Classes, shape (N,).
        folds: Fold of each example, shape (N,).
        n_folds: Number of folds F.
        weights: Weights of the examples in the derivatives, shape (N,); None for 1.
    """
    kind = _BinaryTable if parts[0].shape[-1] == 2 else _MulticlassTable
    table = kind(parts, targets, folds, n_folds)
    if weights is not None:
        table.is_in_fold *= weights.to(table.is_in_fold).unsqueeze(-1)
    return table


class _Folded:
    """The folds and the blocks of examples, which both layouts share."""

    def __init__(self, n_rows: int, targets: Tensor, folds: Tensor, n_folds: int) -> None:
        self.n_rows = n_rows
        self.n_folds = n_folds
        self.folds = folds
        self.targets = targets
        self.is_in_fold = torch.nn.functional.one_hot(folds, n_folds).double()

    def blocks(self, width: int) -> Iterator[slice]:
        """Divide the examples, of `width` elements each, into blocks."""
        block = _CPU_BLOCK if self.folds.device.type == "cpu" else _GPU_BLOCK
        step = max(block // max(width, 1), 64)
        for first in range(0, len(self.folds), step):
            yield slice(first, first + step)

    def is_all(self, rows: Tensor) -> bool:
        """Return whether `rows` are all rows in order, which need no copy."""
        return len(rows) == self.n_rows and bool((rows.diff() == 1).all())

    def betas(self, log_beta: Tensor, block: slice, dtype: torch.dtype) -> Tensor:
        """Return the inverse temperatures (V, 1) or (V, n) of a block."""
        beta = log_beta.exp().to(dtype)
        return beta.unsqueeze(-1) if beta.ndim == 1 else beta[:, self.folds[block]]


class _BinaryTable(_Folded):
    """Two classes, stored as the margin of the true class."""

    n_classes = 2

    def __init__(
        self, parts: Sequence[Tensor], targets: Tensor, folds: Tensor, n_folds: int
    ) -> None:
        margins = torch.cat([part[..., 1] - part[..., 0] for part in parts])
        super().__init__(len(margins), targets, folds, n_folds)
        self.margins = margins.clamp_(_LOWEST, -_LOWEST).mul_(targets.mul(2).sub(1))

    def moments(self, log_beta: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        slope = log_beta.new_zeros(len(rows), self.n_folds, dtype=torch.float64)
        curvature = torch.zeros_like(slope)
        beta = log_beta.exp().to(self.margins.dtype).unsqueeze(-1)
        margins = self.margins if self.is_all(rows) else self.margins[rows]
        for block in self.blocks(len(rows)):
            margin = margins[:, block]
            miss = torch.sigmoid(margin * -beta)
            weighted = margin * miss
            member = self.is_in_fold[block]
            slope -= weighted.double() @ member
            # margin ** 2 * miss * (1 - miss)
            curvature += (weighted * (margin - weighted)).double() @ member
        return slope, curvature

    def target_probs(self, log_beta: Tensor) -> Tensor:
        probs = torch.empty_like(self.margins)
        for block in self.blocks(self.n_rows):
            beta = self.betas(log_beta, block, probs.dtype)
            torch.sigmoid(self.margins[:, block] * beta, out=probs[:, block])
        return probs

    def wrong(self, rows: Tensor) -> Tensor:
        margins = self.margins[rows]
        # Equal scores decide for class 0, as argmax does.
        return (margins < 0) | ((margins == 0) & (self.targets == 1))


class _MulticlassTable(_Folded):
    """C classes: scores minus their maximum, with the class axis first for fast sums over it."""

    def __init__(
        self, parts: Sequence[Tensor], targets: Tensor, folds: Tensor, n_folds: int
    ) -> None:
        n_rows = sum(len(part) for part in parts)
        super().__init__(n_rows, targets, folds, n_folds)
        self.n_classes = parts[0].shape[-1]
        self.scores = parts[0].new_empty(self.n_classes, n_rows, len(targets))
        first = 0
        for part in parts:
            self.scores[:, first : first + len(part)] = part.permute(2, 0, 1)
            first += len(part)
        self.scores.sub_(self.scores.amax(0)).clamp_min_(_LOWEST)
        index = targets.expand(1, n_rows, -1)
        self.of_target = self.scores.gather(0, index).squeeze(0)

    def moments(self, log_beta: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        slope = log_beta.new_zeros(len(rows), self.n_folds, dtype=torch.float64)
        curvature = torch.zeros_like(slope)
        beta = log_beta.exp().to(self.scores.dtype).unsqueeze(-1)
        everything = self.is_all(rows)
        for block in self.blocks(len(rows) * self.n_classes):
            scores, of_target = self.scores[:, :, block], self.of_target[:, block]
            if not everything:
                scores, of_target = scores[:, rows], of_target[rows]
            power = (scores * beta).exp_()
            total = power.sum(0)
            mean = power.mul_(scores).sum(0).div_(total)
            square = power.mul_(scores).sum(0).div_(total)
            member = self.is_in_fold[block]
            slope += (mean - of_target).double() @ member
            curvature += square.addcmul_(mean, mean, value=-1).clamp_min_(0).double() @ member
        return slope, curvature

    def target_probs(self, log_beta: Tensor) -> Tensor:
        probs = torch.empty_like(self.of_target)
        for block in self.blocks(self.n_rows * self.n_classes):
            beta = self.betas(log_beta, block, probs.dtype)
            total = (self.scores[:, :, block] * beta).exp_().sum(0)
            probs[:, block] = (self.of_target[:, block] * beta).exp_().div_(total)
        return probs

    def wrong(self, rows: Tensor) -> Tensor:
        # Four times as fast as argmax along the first axis; of equal scores the first class wins.
        wrong = self.of_target[rows] < 0
        earlier = torch.arange(self.n_classes, device=rows.device)[:, None] < self.targets
        for block in self.blocks(len(rows) * self.n_classes):
            is_top = self.scores[:, rows, block] == 0
            wrong[:, block] |= is_top.logical_and_(earlier[:, None, block]).any(0)
        return wrong
