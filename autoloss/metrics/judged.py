"""What a metric is computed of: the predictions of K candidates on the same rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoloss.metrics.costs import Matrix
from autoloss.metrics.declare import Function

FloatArray: TypeAlias = NDArray[np.float64]
MetricFunction = Callable[[NDArray[Any], NDArray[Any]], float]


@dataclass(frozen=True, kw_only=True)
class Judged:
    """The predictions of K candidates on N rows, beside the true classes.

    Tensors are for metrics of probabilities; `hits`, `true` and `decided` are arrays, because a
    standard error asks for a metric of decisions ten thousand times, of one candidate each time.

    Args:
        scores: Calibrated probabilities or their logs; NaN for a candidate without finite logits.
        are_logs: Whether they are logs.
        classes: The true classes.
        class_counts: Training rows of each class, for all candidates or each.
        cost_matrix: Cost of a decision (column) where a class is true (row); None for none.
        given_wrong: Whether the decision is wrong, where that is known; by default the decision
            is the largest score.
        log_odds: Scores that rank the rows by class 1; by default the scores of class 1.

    Shape:
        scores (K, N, C), classes (N,), class_counts (C,) or (K, C), cost_matrix (C, C),
        given_wrong (K, N), log_odds (K, N).
    """

    scores: Tensor
    are_logs: bool
    classes: Tensor
    class_counts: Tensor
    cost_matrix: Matrix | None = None
    given_wrong: Tensor | None = None
    log_odds: Tensor | None = None

    @classmethod
    def of_probs(
        cls,
        probs: NDArray[Any],
        classes: NDArray[Any],
        *,
        class_counts: Tensor,
        cost_matrix: Matrix | None = None,
    ) -> Judged:
        """Return the predictions of one candidate, whose decisions are its likeliest classes.

        Shape:
            probs (N, C), classes (N,), class_counts (C,), cost_matrix (C, C).
        """
        return cls(
            scores=torch.from_numpy(probs)[None],
            are_logs=False,
            classes=torch.from_numpy(np.asarray(classes)),
            class_counts=class_counts,
            cost_matrix=cost_matrix,
        )

    def value(self, function: Function) -> Tensor:
        """Return a metric of each candidate as a tensor, (K,)."""
        return torch.as_tensor(function(self), device=self.scores.device)

    @property
    def n_classes(self) -> int:
        """Return the number of classes C."""
        return self.scores.shape[-1]

    @cached_property
    def log_probs(self) -> Tensor:
        """Return the log probabilities, (K, N, C)."""
        return self.scores if self.are_logs else self.scores.log()

    @cached_property
    def wrong(self) -> Tensor:
        """Return whether each decision is wrong, (K, N)."""
        if self.given_wrong is not None:
            return self.given_wrong
        return self.scores.argmax(-1) != self.classes

    @property
    def is_finite(self) -> Tensor:
        """Return which candidates have probabilities, (K,)."""
        return ~torch.isnan(self.scores).any(-1).any(-1)

    @property
    def ranking(self) -> Tensor:
        """Return the scores that rank the rows by class 1, (K, N)."""
        return self.scores[..., 1] if self.log_odds is None else self.log_odds

    @property
    def costs(self) -> Matrix:
        """Return the cost matrix, (C, C), for a metric that needs it."""
        if self.cost_matrix is None:
            raise TypeError("A cost must have a matrix, but got cost_matrix=None.")
        return self.cost_matrix

    @property
    def hits(self) -> FloatArray:
        """Return the rows of each class for which it is the likeliest, (K, C)."""
        return self._counts[0]

    @property
    def true(self) -> FloatArray:
        """Return the rows of each class, (K, C)."""
        return self._counts[1]

    @property
    def decided(self) -> FloatArray:
        """Return the rows for which each class is the likeliest, (K, C)."""
        return self._counts[2]

    def ratio(self, above: FloatArray, below: FloatArray) -> FloatArray:
        """Return a quotient, 0 where the denominator is 0, as scikit-learn has it."""
        quotient: FloatArray = np.divide(above, below, out=np.zeros_like(above), where=below > 0)
        return quotient

    def each(self, function: MetricFunction) -> FloatArray:
        """Call a function of probabilities (N, C) and classes (N,) for each candidate, (K,).

        A candidate without finite predictions gets NaN.
        """
        probs = self.scores.exp() if self.are_logs else self.scores
        arrays, values = probs.cpu().numpy(), np.full(len(probs), np.nan)
        for k in self.is_finite.nonzero().flatten().tolist():
            values[k] = function(arrays[k], self._true)
        return values

    @cached_property
    def _true(self) -> NDArray[np.int64]:
        true: NDArray[np.int64] = self.classes.cpu().numpy()
        return true

    @cached_property
    def _counts(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return hits, true and decided rows of each class, each (K, C)."""
        n = self.n_classes
        counts = np.empty((3, len(self.scores), n))
        for k, decided in enumerate(self.scores.cpu().numpy().argmax(-1)):
            table = np.bincount(self._true * n + decided, minlength=n * n).reshape(n, n)
            counts[:, k] = np.diag(table), table.sum(1), table.sum(0)
        return counts[0], counts[1], counts[2]
