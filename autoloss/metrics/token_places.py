"""The sequence and the place of each token, for metrics of segments."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoloss.losses import ClassFacts
from autoloss.readout import Items

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TokenPlaces:
    """The sequence of each token that has a tag, and its place there.

    Args:
        rows: The number of the sequence of each item.
        places: The place of each in its sequence.
        names: The tags by name.
        constrained: Whether decided tags must be allowed to follow each other.

    Shape:
        rows and places (M,).
    """

    rows: IntArray
    places: IntArray
    names: tuple[str, ...]
    constrained: bool = False

    @classmethod
    def of(cls, items: Items, facts: ClassFacts) -> TokenPlaces | None:
        """Return the places of items; None unless they are tokens."""
        if facts.task != "sequence":
            return None
        assert items.rows is not None
        rows = np.asarray(items.rows.cpu(), dtype=np.int64)
        numbers = np.asarray(items.numbers.cpu(), dtype=np.int64)
        return cls(rows, numbers, facts.names, facts.constrained)

    def take(self, index: NDArray[Any] | slice) -> TokenPlaces:
        """Return the places of some items, some of which may be there several times."""
        return replace(self, rows=self.rows[index], places=self.places[index])

    @property
    def runs(self) -> Runs:
        """Return the items in the order of their sequences, each once."""
        place = self.places - self.places.min(initial=0)
        key = self.rows * (int(place.max(initial=0)) + 1) + place
        _, index, times = np.unique(key, return_index=True, return_counts=True)
        rows, place = self.rows[index], place[index]
        follows = np.zeros(len(index), dtype=bool)
        follows[1:] = (rows[1:] == rows[:-1]) & (place[1:] == place[:-1] + 1)
        return Runs(index, times.astype(np.float64), follows)


@dataclass(frozen=True, eq=False)
class Runs:
    """Items in the order of their sequences, each once.

    Args:
        index: Where each stands among the items.
        times: How often it is there; the tokens of a sequence are there equally often.
        follows: Whether it stands right after the item before it, in the same sequence.

    Shape:
        each (U,).
    """

    index: IntArray
    times: FloatArray
    follows: NDArray[np.bool_]
