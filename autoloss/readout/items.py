"""The items of a part: the units that read-outs are fitted to, metrics count and tests compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoloss.core.errors import InputError
from autoloss.core.ragged import Labels, Ragged
from autoloss.losses import ClassFacts
from autoloss.losses.guards import MISSING

# A key has the place in the row in its lower half.
_PLACES = 1 << 32


@dataclass(frozen=True, eq=False)
class Items:
    """The items of a part that have a label: its rows, or the labels or tokens of its rows.

    A label of a row is the item ``(0, z)`` with the classes no and yes, a token of a sequence an
    item with C classes. Items of a row are not independent: they stay together in folds and are
    resampled together. For one label a row, items and rows are the same.

    Args:
        labels: The class of each item, int64.
        shape: The axes of the labels of the part: ``(N,)``, ``(N, L)`` or ``(N, T)``; ``(1, T)``
            for sequences that are joined.
        n_rows: The number of rows N, or of sequences.
        rows: The row of each item, the sequence of a token; None if items and rows are the same.
        places: The place of each item among all of `shape`, row by row; None if all have a label.
        clusters: The cluster of each item: its group, else its row; None if all are independent.
        starts: The first place of each sequence, for sequences that are joined.
        costs: The cost of each item, by which those of its decisions are multiplied; None for 1.

    Shape:
        labels, rows, places, clusters and costs (M,), starts (N,).
    """

    labels: Tensor
    shape: tuple[int, ...]
    n_rows: int
    rows: Tensor | None = None
    places: Tensor | None = None
    clusters: Tensor | None = None
    starts: Tensor | None = None
    costs: Tensor | None = None

    @classmethod
    def of(cls, targets: Labels | Items, facts: ClassFacts) -> Items:
        """Return the items of labels; items are returned as they are.

        Args:
            targets: Classes; several labels are 0, 1 or the same as floats. The values -1 and
                -100, and NaN, mean a missing label of a row's labels or of a token. Sequences of
                unequal length are joined, see `of_sequences`.
            facts: The kind of label.

        Shape:
            targets (N,); several labels (N, L); tokens of sequences, padded with -100, (N, T).
        """
        if isinstance(targets, Items):
            return targets
        if isinstance(targets, Ragged):
            return cls.of_sequences(targets.split())
        if facts.item_axes == 1:
            return cls(targets, tuple(targets.shape), len(targets))
        rows = torch.arange(len(targets), device=targets.device)
        return cls._known(targets, rows.repeat_interleave(targets[0].numel()), len(targets))

    @classmethod
    def pooled(cls, keys: Tensor, labels: Tensor) -> Items:
        """Return the items of several labels or of tokens that training runs held out together.

        Args:
            keys: The key of each item, rising; see `keys`.
            labels: Their classes.

        Shape:
            keys and labels (M,).
        """
        found, rows = torch.unique_consecutive(keys // _PLACES, return_inverse=True)
        place = keys % _PLACES
        shape = (len(found), int(place.max()) + 1)
        places = rows * shape[1] + place
        is_whole = len(keys) == shape[0] * shape[1]
        return cls(labels, shape, len(found), rows, None if is_whole else places, clusters=rows)

    @classmethod
    def of_sequences(cls, tags: Sequence[Tensor]) -> Items:
        """Return the items of sequences of unequal length, joined to a single row of tokens.

        Args:
            tags: The class of each token of each sequence; -1 and -100 mean a missing tag.

        Shape:
            tags N times (T_n,); the shape of the items is (1, sum of T_n).
        """
        joined = torch.cat(list(tags))
        lengths = torch.tensor([len(one) for one in tags], device=joined.device)
        rows = torch.arange(len(tags), device=joined.device).repeat_interleave(lengths)
        known = cls._known(joined[None], rows, len(tags))
        return replace(known, starts=lengths.cumsum(0) - lengths)

    @classmethod
    def _known(cls, targets: Tensor, rows: Tensor, n_rows: int) -> Items:
        """Return the items that have a label, each with its row as its cluster."""
        if targets.is_floating_point():
            is_known = ~targets.isnan()
        else:
            is_known = torch.isin(
                targets, torch.tensor(MISSING, device=targets.device), invert=True
            )
        places = is_known.flatten().nonzero().flatten()
        rows = rows[places]
        return cls(
            targets.flatten()[places].long(),
            tuple(targets.shape),
            n_rows,
            rows,
            places=None if len(places) == targets.numel() else places,
            clusters=rows,
        )

    def __len__(self) -> int:
        """Return the number of items M."""
        return len(self.labels)

    @property
    def cluster_numbers(self) -> NDArray[np.int64] | None:
        """Return the clusters as an array; None if all items are independent."""
        if self.clusters is None:
            return None
        numbers: NDArray[np.int64] = np.asarray(self.clusters.cpu(), dtype=np.int64)
        return numbers

    def to(self, device: torch.device | str) -> Items:
        """Return the items on a device."""
        names = ("labels", "rows", "places", "clusters", "starts", "costs")
        given = {name: getattr(self, name) for name in names}
        moved = {name: one.to(device) for name, one in given.items() if one is not None}
        return replace(self, **moved)

    def clustered(self, clusters: Tensor | None) -> Items:
        """Return the items with groups of rows as their clusters.

        Args:
            clusters: The group of each row; None for rows without groups.

        Shape:
            clusters (N,).
        """
        if clusters is None:
            return self
        return replace(self, clusters=self.of_rows(clusters))

    def costing(self, costs: Tensor | None) -> Items:
        """Return the items with the costs of their rows.

        Args:
            costs: The cost of each row; None for 1.

        Shape:
            costs (N,).
        """
        return self if costs is None else replace(self, costs=self.of_rows(costs))

    def keys(self, rows: Tensor) -> Tensor:
        """Return a number of each item that is the same in every part that has it, (M,).

        Args:
            rows: The number of each row in its table.

        Shape:
            rows (N,).
        """
        if self.rows is None:
            return rows
        return self.of_rows(rows) * _PLACES + self.numbers

    @property
    def numbers(self) -> Tensor:
        """Return the place of each item in its row: the number of its label or token, (M,)."""
        places = self.places
        if places is None:
            places = torch.arange(len(self), device=self.labels.device)
        if self.starts is not None and self.rows is not None:
            return places - self.starts[self.rows]
        return places % self.shape[-1]

    def of_rows(self, values: Tensor) -> Tensor:
        """Return for each item the value of its row, (N,) -> (M,)."""
        if self.rows is None:
            return values
        return values.to(self.rows.device)[self.rows]

    def counts(self, facts: ClassFacts) -> Tensor:
        """Return the training rows of each class: of all items, or of the label of each item.

        Shape:
            (C,); several labels (M, 2).
        """
        if facts.task != "multilabel":
            return facts.item_counts
        return facts.population[self.numbers.cpu()]

    def tally(self, facts: ClassFacts) -> Tensor:
        """Return the number of items of each class, for several labels by label.

        Shape:
            (1, C); several labels (L, 2).
        """
        n_classes = facts.n_classes
        kinds = facts.row_scores // n_classes
        numbers = self.numbers.cpu() if kinds > 1 else 0
        codes = numbers * n_classes + self.labels.cpu()
        return torch.bincount(codes, minlength=kinds * n_classes).view(kinds, n_classes)

    def scores(self, values: Tensor) -> Tensor:
        """Return scores of the items from scores in the layout of the losses, with a class axis.

        Args:
            values: Scores of K candidates for everything in `shape`.

        Raises:
            InputError: If they do not have the axes of the labels.

        Shape:
            (K, N, C), several labels (K, N, L, 2), tokens (K, N, T, C) -> (K, M, C).
        """
        if self.rows is None:
            return values
        if tuple(values.shape[1:-1]) != self.shape:
            raise InputError(
                f"Logits must be of the labels' shape {self.shape}, but got "
                f"{tuple(values.shape[1:-1])} for each candidate."
            )
        flat = values.flatten(1, -2)
        return flat if self.places is None else flat[:, self.places.to(flat.device)]
