"""The predictions of K candidates on the same rows, from which every metric is computed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoloss.losses import ClassFacts
from autoloss.metrics.costs import Matrix
from autoloss.metrics.declare import Function

FloatArray: TypeAlias = NDArray[np.float64]
MetricFunction = Callable[[NDArray[Any], NDArray[Any]], float]


@dataclass(frozen=True, kw_only=True)
class Judged:
    """The predictions of K candidates on N items, beside the true classes.

    Metrics of probabilities read tensors. `hits`, `true` and `decided` are arrays: for a standard
    error, a metric of decisions is computed ten thousand times for one candidate, and numpy is
    faster there.

    Args:
        scores: Calibrated probabilities or their logs; NaN for a candidate without finite logits.
        are_logs: Whether they are logs.
        classes: The true classes.
        facts: The kind of label, with the training rows of each class.
        cost_matrix: Cost of a decision (column) where a class is true (row); None for none.
        given_wrong: Whether each decision is wrong; by default the decision is the largest score.
        log_odds: Scores that rank the items by class 1; by default the scores of class 1.

    Shape:
        scores (K, N, C), classes (N,), cost_matrix (C, C), given_wrong (K, N), log_odds (K, N).
    """

    scores: Tensor
    are_logs: bool
    classes: Tensor
    facts: ClassFacts
    cost_matrix: Matrix | None = None
    given_wrong: Tensor | None = None
    log_odds: Tensor | None = None

    @classmethod
    def of_probs(
        cls,
        probs: NDArray[Any],
        classes: NDArray[Any],
        *,
        facts: ClassFacts,
        cost_matrix: Matrix | None = None,
    ) -> Judged:
        """Return the predictions of one candidate, whose decisions are its likeliest classes.

        Shape:
            probs (N, C), classes (N,), cost_matrix (C, C).
        """
        return cls(
            scores=torch.from_numpy(probs)[None],
            are_logs=False,
            classes=torch.from_numpy(np.asarray(classes)),
            facts=facts,
            cost_matrix=cost_matrix,
        )

    def value(self, function: Function) -> Tensor:
        """Return a metric of each candidate as a tensor, (K,)."""
        return torch.as_tensor(function(self), device=self.scores.device)

    @property
    def n_classes(self) -> int:
        """Return the number of classes C."""
        return self.scores.shape[-1]

    @property
    def class_counts(self) -> Tensor:
        """Return the training rows of each class, shared (C,) or for each candidate (K, C)."""
        return self.facts.item_counts

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
        """Return the rows of each class that are decided for it, (K, C)."""
        return self._counts[0]

    @property
    def true(self) -> FloatArray:
        """Return the rows of each class, (K, C)."""
        return self._counts[1]

    @property
    def decided(self) -> FloatArray:
        """Return the rows that are decided for each class, (K, C): it is the likeliest."""
        return self._counts[2]

    def ratio(self, above: FloatArray, below: FloatArray) -> FloatArray:
        """Return a quotient, 0 where the denominator is 0, as in scikit-learn."""
        quotient: FloatArray = np.divide(above, below, out=np.zeros_like(above), where=below > 0)
        return quotient

    def per_candidate(self, function: MetricFunction) -> FloatArray:
        """Return a function of probabilities (N, C) and classes (N,) for each candidate, (K,).

        It is NaN for a candidate without finite predictions.
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
