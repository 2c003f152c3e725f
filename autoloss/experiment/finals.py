"""The training runs that come after the search, as a plan counts them."""

from __future__ import annotations

import math
from dataclasses import dataclass

MORE_FINALISTS = 3
"""Finalists besides the best of each family: the best by the metric, and two cross-entropies."""
JUDGED = 6
"""Finalists that predict the rows of the verdict, at most, as planned: its sides, default
cross-entropy, and the trials whose mean ships."""
REFIT_MEMBERS = 3
"""The fewest members of the shipped mean that learn from all rows."""


def refit_members(trials: int, replicates: int) -> int:
    """Return the fewest members of each trial that are trained on all rows."""
    return min(replicates, math.ceil(REFIT_MEMBERS / trials))


@dataclass(frozen=True)
class Finals:
    """The training runs that come after the search.

    Args:
        finalists: Families whose best trial is trained again; 0 for the verdict's sides alone.
        replicates: Training runs of each finalist.
        repeats: Repeats of the nested cross-validation; 0 where rows are locked.
        outer_trials: Trials that are trained in every outer fold.
        more: The most finalists besides these.
        refit: Whether the shipped model is trained again on all rows.
        growing: Whether both losses are trained on growing parts of the rows.
    """

    finalists: int
    replicates: int
    repeats: int = 0
    outer_trials: int = 0
    more: int = MORE_FINALISTS
    refit: bool = False
    growing: bool = False

    @property
    def trainings(self) -> int:
        """Return the most training runs of finalists."""
        return (self.finalists + self.more) * self.replicates

    @property
    def judged(self) -> int:
        """Return the training runs whose models predict the rows of the verdict, as planned."""
        return min(self.finalists + self.more, JUDGED) * self.replicates
