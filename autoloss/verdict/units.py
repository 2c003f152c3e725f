"""What is independent of each other in a part: single rows, or clusters of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

IntArray = npt.NDArray[np.integer]


@dataclass(frozen=True, eq=False)
class Units:
    """What is drawn or left out as a whole: single rows, or clusters of rows.

    Args:
        of_row: The unit of each row, from 0; (N,).
        strata: The stratum of each unit: its class where no unit has rows of several classes,
            else one stratum for all; (U,).
        is_clustered: Whether some unit has more than one row.
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
        """Return how much wider than a bootstrap's the interval must be; infinite if none is.

        A bootstrap of few units has too small a variance, by ``freedom / count``, and the tails
        of the normal distribution where those of Student's belong.
        """
        if self.freedom < 1:
            return float("inf")
        tails = stats.t.ppf(0.975, self.freedom) / stats.norm.ppf(0.975)
        return float(tails * np.sqrt(self.count / self.freedom))

    def classes_of(self, targets: IntArray) -> IntArray:
        """Return the class of each pair of a class and a unit that has rows of it.

        Shape:
            targets (N,) -> (pairs,).
        """
        if not self.is_clustered:
            return targets
        return np.unique(np.asarray(targets) * self.count + self.of_row) // self.count


def units_of(targets: IntArray, clusters: npt.NDArray[Any] | None = None) -> Units:
    """Return the units of a part, each row one of its own without `clusters`.

    Args:
        targets: Classes of the rows.
        clusters: The cluster of each row (a group's name or number); rows of one belong together.

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
