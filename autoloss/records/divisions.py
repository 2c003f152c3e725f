"""The data of a study and the division of its rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class LabelCount:
    """A label of several.

    Args:
        name: The label.
        positives: The rows that have it.
        negatives: The rows that are known not to have it.
        weight: The weight of yes that the user gives.
        costs: The costs of a miss and of a false alarm that the user gives; None if not given.
    """

    name: str
    positives: int
    negatives: int
    weight: float = 1.0
    costs: tuple[float, float] | None = None


@dataclass(frozen=True)
class DataSummary:
    """The data: rows of each part, columns, classes and notes on their preparation.

    ``n_train`` and ``n_valid`` refer to the first division; ``n_test`` is 0 if no
    row is locked. ``class_weights`` and ``class_similarity`` come from the user, None if not
    given. ``reasons`` has the reason for the kind of each of ``columns``, and ``aside`` the
    purpose of each column that is neither an input nor the target; both are empty in older
    studies. ``labels`` has several labels a row with their rows, of which ``classes`` and
    ``class_counts`` are then no and yes of all labels together; empty for one label a row.
    ``n_rows`` counts the rows of all parts; 0 in older studies. ``cost_column`` is the column of
    the cost of each row; empty for none.
    """

    source: str
    target: str
    task: str
    classes: tuple[str, ...]
    class_counts: tuple[int, ...]
    n_train: int
    n_valid: int
    n_test: int
    columns: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    class_weights: tuple[float, ...] | None = None
    class_similarity: tuple[tuple[float, ...], ...] | None = None
    reasons: tuple[str, ...] = ()
    aside: tuple[tuple[str, str], ...] = ()
    labels: tuple[LabelCount, ...] = ()
    n_rows: int = 0
    cost_column: str = ""

    @property
    def label_weights(self) -> tuple[tuple[float, float], ...]:
        """Return the weights of no and yes of each label, (L, 2); empty if none were given."""
        pairs = tuple((1.0, one.weight) for one in self.labels)
        return pairs if any(weight != 1.0 for _, weight in pairs) else ()


@dataclass(frozen=True)
class Resampling:
    """The rows on which candidates were compared and on which the verdict was reached.

    Args:
        kind: ``"holdout"``, ``"repeated_holdout"``, ``"cross_validation"`` or ``"forward"`` (by
            time, each fold validates the rows after its training rows).
        folds: Divisions of the rows into training and validation rows.
        verdict: ``"locked"`` test rows; ``"out_of_fold"``: all rows, by training runs that held
            them out; or ``"nested"`` cross-validation.
        outer: Outer folds of the nested cross-validation, all repeats together; 0 without it.
        replicates: Training runs of every finalist, each on its own division and seed.
        text: All of this in a sentence or two.
    """

    kind: Literal["holdout", "repeated_holdout", "cross_validation", "forward"]
    folds: int
    verdict: Literal["locked", "out_of_fold", "nested"] = "locked"
    outer: int = 0
    replicates: int = 1
    text: str = ""
