"""The independent units of a part: single rows, or clusters of rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

IntArray = npt.NDArray[np.integer]
FEWEST = 6
"""Clusters from which on a difference may be significant: where all of fewer have its sign, the
probability of that by chance, two-sided, is above 5 %."""


@dataclass(frozen=True, eq=False)
class Units:
    """The units that are drawn or left out whole: single rows, or clusters of rows.

    Args:
        of_row: The unit of each row, from 0; (N,).
        strata: The stratum of each unit: its class if no unit has rows of several classes, else a
            single stratum for all; (U,).
        is_clustered: Whether a unit has more than one row.
    """

    of_row: IntArray
    strata: IntArray
    is_clustered: bool

    @property
    def count(self) -> int:
        """Return the number of units U."""
        return len(self.strata)

    @property
    def freedom(self) -> int:
        """Return the degrees of freedom: units less strata."""
        return self.count - len(np.unique(self.strata))

    @property
    def widening(self) -> float:
        """Return the factor by which to widen a bootstrap interval; infinite for too few units.

        The variance of a bootstrap of few units is too small by ``freedom / count``, and its tails
        are those of the normal distribution instead of Student's. With fewer than `FEWEST`
        clusters nothing can be told: a bootstrap of two has three outcomes.
        """
        if self.freedom < 1 or (self.is_clustered and self.count < FEWEST):
            return float("inf")
        tails = special.stdtrit(self.freedom, 0.975) / special.ndtri(0.975)
        return float(tails * np.sqrt(self.count / self.freedom))

    def classes_of(self, targets: IntArray) -> IntArray:
        """Return the class of each pair of a unit and a class in it.

        Shape:
            targets (N,) -> (pairs,).
        """
        if not self.is_clustered:
            return targets
        return np.unique(np.asarray(targets) * self.count + self.of_row) // self.count


def units_of(targets: IntArray, clusters: npt.NDArray[Any] | None = None) -> Units:
    """Return the units of a part; without `clusters` each row is a unit.

    Args:
        targets: Classes of the rows.
        clusters: The cluster of each row (a group's name or number).

    Raises:
        ValueError: If there is not one cluster for each row.

    Shape:
        targets (N,), clusters (N,).
    """
    rows = np.arange(len(targets))
    if clusters is None:
        return Units(rows, np.asarray(targets), is_clustered=False)
    if np.shape(clusters) != (len(targets),):
        raise ValueError(
            f"clusters must have the shape (N,) of targets, but got "
            f"clusters.shape={np.shape(clusters)}, N={len(targets)}."
        )
    _, first, of_row = np.unique(np.asarray(clusters), return_index=True, return_inverse=True)
    if len(first) == len(targets):
        return Units(rows, np.asarray(targets), is_clustered=False)
    strata = np.asarray(targets)[first]
    is_pure = bool(np.all(strata[of_row] == targets))
    return Units(of_row, strata if is_pure else np.zeros_like(strata), is_clustered=True)
