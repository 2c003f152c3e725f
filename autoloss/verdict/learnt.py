"""Checks that a model learnt anything: compares its log loss with that of the class shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from autoloss.report.words import interval_text
from autoloss.verdict.resampling import mean_error

ERRORS = 1.96
"""The lead over the class shares that a model needs, in standard errors."""


@dataclass(frozen=True)
class Learnt:
    """The log loss of a model, and of a constant prediction of the training class shares.

    Args:
        log_loss: Log loss of the model in nats.
        of_shares: Log loss of the class shares in nats.
        error: Standard error of the difference in nats.
    """

    log_loss: float
    of_shares: float
    error: float

    @property
    def is_ahead(self) -> bool:
        """Return whether the model is better by more than its own uncertainty."""
        return self.of_shares - self.log_loss > ERRORS * self.error

    @property
    def reason(self) -> str:
        """Return the reason why nothing can be decided; empty if the model learnt."""
        if self.is_ahead:
            return ""
        return (
            "tuned cross-entropy is not better than the class shares by more than its own "
            f"uncertainty: log loss {self.log_loss:.4f} against {self.of_shares:.4f} "
            "(95% interval of the difference "
            f"{interval_text('log_loss', self._end(-1), self._end(1))} nats)"
        )

    def _end(self, side: int) -> float:
        return self.log_loss - self.of_shares + side * ERRORS * self.error


def learnt(
    log_probs: npt.NDArray[np.floating],
    targets: npt.NDArray[np.integer],
    class_counts: npt.NDArray[Any],
    *,
    clusters: npt.NDArray[Any] | None = None,
) -> Learnt:
    """Compare a model with the class shares on the rows of a verdict.

    Args:
        log_probs: Log probabilities of the model.
        targets: Classes of the rows.
        class_counts: Training rows of each class, of all rows or of each row's own label.
        clusters: The cluster of each row; None for independent rows.

    Shape:
        log_probs (N, C), targets (N,), class_counts (C,) or (N, C), clusters (N,).
    """
    # Add half a row to every class, because a class without training rows would cost infinity.
    counts = np.asarray(class_counts, dtype=np.float64) + 0.5
    rows = np.arange(len(targets))
    shares = -np.log(counts / counts.sum(-1, keepdims=True))
    shares = shares[targets] if shares.ndim == 1 else shares[rows, targets]
    own = -log_probs[rows, targets].astype(np.float64)
    return Learnt(float(own.mean()), float(shares.mean()), mean_error(shares - own, clusters))
