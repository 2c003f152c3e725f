"""Categorical and boolean columns: levels become codes, those unseen or rare code 0."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autoloss.data.blocks import Block
from autoloss.data.marks import without_marks
from autoloss.data.values import values_of

_MOST_LEVELS = 2000


@dataclass(frozen=True)
class CategoryColumn:
    """A column of levels.

    Args:
        name: Its name.
        kind: ``"categorical"`` or ``"boolean"``.
        levels: The levels that have codes 1, 2, ..., the most frequent first.
        missing: Whether a missing cell has a code of its own, the last one; else it is code 0.
        marks: Cells that the user calls missing.
    """

    name: str
    kind: str
    levels: tuple[str, ...]
    missing: bool
    marks: tuple[str, ...] = ()

    @classmethod
    def fit(cls, name: str, text: pd.Series, *, kind: str = "categorical") -> CategoryColumn:
        """Fit to the training rows; a level that stands too seldom to be learnt shares code 0."""
        least = _least_count(len(text))
        counts = text.value_counts()
        kept = counts[counts >= least]
        ordered = sorted(kept.items(), key=lambda item: (-item[1], str(item[0])))[:_MOST_LEVELS]
        missing = bool(text.isna().sum() >= least)
        return cls(name, kind, tuple(str(level) for level, _ in ordered), missing)

    @property
    def cardinality(self) -> int:
        """Return the number of codes, code 0 among them."""
        return 1 + len(self.levels) + self.missing

    def encode(self, series: pd.Series) -> Block:
        """Return the codes of a column."""
        codes, unique = pd.factorize(values_of(without_marks(series, self.marks)).text)
        return Block(len(series), codes=self.code_table(unique)[codes][:, None])

    def code_table(self, unique: Iterable[object]) -> NDArray[np.int64]:
        """Return the code of each of some different texts, and last that of a missing cell."""
        known = {level: code for code, level in enumerate(self.levels, start=1)}
        return np.array(
            [known.get(str(level), 0) for level in unique]
            + [self.cardinality - 1 if self.missing else 0],
            dtype=np.int64,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the state as plain values."""
        return {
            "name": self.name,
            "kind": self.kind,
            "levels": list(self.levels),
            "missing": self.missing,
            "marks": list(self.marks),
        }

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> CategoryColumn:
        """Return the column of a state."""
        levels, marks = tuple(state["levels"]), tuple(state.get("marks", ()))
        return cls(state["name"], state["kind"], levels, state["missing"], marks)


def _least_count(n_rows: int) -> int:
    """Return how often a level must stand among `n_rows` to have a code of its own."""
    if n_rows < 2_000:
        return 2
    return 4 if n_rows < 20_000 else 8
