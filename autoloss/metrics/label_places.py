"""The label and the row of each item, for metrics of several labels a row."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoloss.losses import ClassFacts
from autoloss.readout import Items

IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class LabelPlaces:
    """The label of each item, and the items that belong together.

    Args:
        numbers: The number of the label of each item.
        rows: The row of each item.
        clusters: The cluster of each item: its group, else its row.
        n_labels: The number of labels L.

    Shape:
        numbers, rows and clusters (M,).
    """

    numbers: IntArray
    rows: IntArray
    clusters: IntArray
    n_labels: int

    @classmethod
    def of(cls, items: Items, facts: ClassFacts) -> LabelPlaces | None:
        """Return the places of items; None unless rows have several labels."""
        if facts.task != "multilabel":
            return None
        assert items.rows is not None
        rows = _on_cpu(items.rows)
        clusters = rows if items.clusters is None else _on_cpu(items.clusters)
        return cls(_on_cpu(items.numbers), rows, clusters, facts.counts.shape[-2])

    def take(self, index: NDArray[Any] | slice) -> LabelPlaces:
        """Return the places of some items, some of which may be there several times."""
        return replace(
            self,
            numbers=self.numbers[index],
            rows=self.rows[index],
            clusters=self.clusters[index],
        )

    def by_label(self) -> list[IntArray]:
        """Return the places of the items of each label, L arrays."""
        order = np.argsort(self.numbers, kind="stable")
        ends = np.cumsum(np.bincount(self.numbers, minlength=self.n_labels))
        return np.split(order, ends[:-1])

    def sums(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Return the sums of some values of the items by label, (..., M) -> (..., L)."""
        flat = values.reshape(-1, values.shape[-1])
        found = [np.bincount(self.numbers, one, minlength=self.n_labels) for one in flat]
        return np.stack(found).reshape(*values.shape[:-1], self.n_labels).astype(np.float64)

    def folds(self, count: int = 5) -> IntArray:
        """Return a fold of each item, (M,): that of its cluster, however often it is there."""
        # The bits of a number, mixed, so that neighbours are in no order.
        mixed = self.clusters.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        return ((mixed >> np.uint64(32)) % np.uint64(count)).astype(np.int64)


def _on_cpu(values: Any) -> IntArray:
    return np.asarray(values.cpu(), dtype=np.int64)
