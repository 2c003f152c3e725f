"""Categorical and boolean columns: levels become codes, those unseen or rare code 0."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autoloss.data.blocks import Block, cells_of
from autoloss.data.cells import level_codes, mark_of, plain_writing
from autoloss.data.marks import without_marks
from autoloss.data.values import values_of

_MOST_LEVELS = 2000
# A column with more levels than these is open: any text may be one of them.
_MOST_RARE = 20_000
NEARLY_ALL = 0.98
"""The share of its most frequent value from which on a column is nearly constant."""


@dataclass(frozen=True)
class CategoryColumn:
    """A column of levels.

    Args:
        name: Its name.
        kind: ``"categorical"`` or ``"boolean"``.
        levels: The levels that have codes 1, 2, ..., the most frequent first.
        missing: Whether a missing cell has a code of its own, the last one; else it is code 0.
        marks: Cells that the user calls missing.
        rare: Hashes of the levels that stood too seldom to have a code, see `mark_of`; None where
            there are too many of them.
        varies: Whether the training rows do not nearly all have the same value.
    """

    name: str
    kind: str
    levels: tuple[str, ...]
    missing: bool
    marks: tuple[str, ...] = ()
    rare: tuple[int, ...] | None = ()
    varies: bool = True

    @classmethod
    def fit(cls, name: str, text: pd.Series, *, kind: str = "categorical") -> CategoryColumn:
        """Fit to the training rows; a level that stands too seldom to be learnt shares code 0."""
        least = _least_count(len(text))
        counts = text.value_counts()
        kept = counts[counts >= least]
        ordered = sorted(kept.items(), key=lambda item: (-item[1], str(item[0])))[:_MOST_LEVELS]
        levels = tuple(str(level) for level, _ in ordered)
        n_missing = int(text.isna().sum())
        most = max(n_missing, int(counts.max()) if len(counts) else 0)
        return cls(
            name,
            kind,
            levels,
            missing=n_missing >= least,
            rare=_rare_marks(counts.index, levels),
            varies=most < NEARLY_ALL * len(text),
        )

    @property
    def cardinality(self) -> int:
        """Return the number of codes, code 0 among them."""
        return 1 + len(self.levels) + self.missing

    def encode(self, series: pd.Series) -> Block:
        """Return the codes of a column."""
        codes, unique = pd.factorize(values_of(without_marks(series, self.marks)).text)
        found = level_codes(unique, self.levels, self.rare)
        unread = np.append(found < 0, False)[codes]
        table = self._with_missing(found)
        return Block(len(series), codes=table[codes][:, None], unread=cells_of(self.name, unread))

    def code_table(self, unique: Iterable[object]) -> NDArray[np.int64]:
        """Return the code of each of some different texts, and last that of a missing cell."""
        return self._with_missing(level_codes(unique, self.levels, self.rare))

    def _with_missing(self, codes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return codes, unknown levels as rare ones, and that of a missing cell behind them."""
        return np.append(np.maximum(codes, 0), self.cardinality - 1 if self.missing else 0)

    def to_dict(self) -> dict[str, Any]:
        """Return the state as plain values."""
        return {
            "name": self.name,
            "kind": self.kind,
            "levels": list(self.levels),
            "missing": self.missing,
            "marks": list(self.marks),
            "rare": None if self.rare is None else list(self.rare),
            "varies": self.varies,
        }

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> CategoryColumn:
        """Return the column of a state."""
        # Models of earlier versions do not tell which levels were rare.
        rare = state.get("rare")
        return cls(
            state["name"],
            state["kind"],
            tuple(state["levels"]),
            state["missing"],
            tuple(state.get("marks", ())),
            None if rare is None else tuple(rare),
            state.get("varies", True),
        )


def _rare_marks(every: Iterable[object], levels: tuple[str, ...]) -> tuple[int, ...] | None:
    """Return the hashes of all levels but those that have codes, None of too many."""
    known = set(levels)
    rare = [str(level) for level in every if str(level) not in known]
    if len(rare) > _MOST_RARE:
        return None
    return tuple(sorted({mark_of(one) for level in rare for one in (level, plain_writing(level))}))


def _least_count(n_rows: int) -> int:
    """Return how often a level must stand among `n_rows` to have a code of its own."""
    if n_rows < 2_000:
        return 2
    return 4 if n_rows < 20_000 else 8
