"""Predictions for rows that several training runs held out, a mean for each row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch

from autoloss.readout import fold_numbers

FloatArray = npt.NDArray[np.floating]
IntArray = npt.NDArray[np.integer]


@dataclass(frozen=True, eq=False)
class PooledRows:
    """The rows that some training runs held out, each once.

    Args:
        rows: Their numbers in the table, rising; (N,).
        targets: Their classes; (N,).
        place: The place in `rows` of each held-out row of each training run, in the order of the
            training runs; (M,).
        first: The first place of each row among the M held-out rows; (N,).
    """

    rows: IntArray
    targets: IntArray
    place: IntArray
    first: IntArray

    @classmethod
    def of(cls, rows: IntArray, targets: IntArray) -> Self:
        """Return the pool of held-out rows.

        Args:
            rows: Their numbers in the table, one training run after another.
            targets: Their classes.

        Shape:
            rows (M,), targets (M,).
        """
        found, first, place = np.unique(rows, return_index=True, return_inverse=True)
        return cls(found, targets[first], place, first)

    def mean(self, log_probs: Sequence[FloatArray]) -> FloatArray:
        """Return the log of each row's mean probabilities over its training runs.

        Args:
            log_probs: The log probabilities of every training run for its held-out rows.

        Shape:
            log_probs (n, C) each -> (N, C).
        """
        together = np.concatenate(log_probs).astype(np.float64)
        total = np.full((len(self.rows), together.shape[1]), -np.inf)
        np.logaddexp.at(total, self.place, together)
        return np.asarray(total - np.log(self.counts)[:, None])

    @property
    def counts(self) -> IntArray:
        """Return the number of training runs that held out each row, (N,)."""
        return np.bincount(self.place, minlength=len(self.rows))

    def among(self, rows: IntArray) -> tuple[npt.NDArray[np.bool_], IntArray]:
        """Return which held-out rows are among some rows, (M,), and the place of each in them.

        Args:
            rows: Places in `rows`, ascending.
        """
        # Faster than a search for each of many rows.
        places = np.full(len(self.rows), -1)
        places[rows] = np.arange(len(rows))
        found = places[self.place]
        is_in = found >= 0
        return is_in, found[is_in]

    def folds(self, clusters: IntArray, *, seed: int) -> IntArray:
        """Return folds of the rows that do not cut clusters, (N,), for cross-fitting.

        Args:
            clusters: The cluster of each held-out row, (M,).
            seed: Seed of the deal.
        """
        own = torch.from_numpy(np.asarray(self.once(clusters)))
        found: IntArray = fold_numbers(len(own), seed=seed, groups=own).numpy()
        return found

    def crossfitted(
        self,
        predict: Callable[[IntArray, IntArray], FloatArray],
        clusters: IntArray,
        *,
        n_classes: int,
        seed: int,
    ) -> FloatArray:
        """Return a prediction of each row by a rule fitted on the other folds, (N, C).

        Args:
            predict: From the places in `rows` of the rows that decide, and of the rows to predict,
                to the predictions of these.
            clusters: The cluster of each held-out row, (M,).
            n_classes: The number of classes C.
            seed: Seed of the folds.
        """
        folds = self.folds(clusters, seed=seed)
        found = np.empty((len(self.rows), n_classes))
        for fold in range(int(folds.max()) + 1):
            own = folds == fold
            found[own] = predict(np.flatnonzero(~own), np.flatnonzero(own))
        return found

    def once(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return a value for each row from values of the held-out rows: (M,) -> (N,)."""
        found: npt.NDArray[Any] = values[self.first]
        return found
