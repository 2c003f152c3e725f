"""Categorical and boolean columns: levels become codes, and unseen or rare levels code 0."""

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
# A column with more levels than this is open: any text may be a level.
_MOST_RARE = 20_000
NEARLY_ALL = 0.98
"""A column is nearly constant if its most frequent value has at least this share."""


@dataclass(frozen=True)
class CategoryColumn:
    """A column of levels.

    Args:
        name: Its name.
        kind: ``"categorical"`` or ``"boolean"``.
        levels: The levels that have codes 1, 2, ..., the most frequent first.
        missing: Whether a missing cell has its own, last code; otherwise it has code 0.
        marks: Marks of missing cells that the user names.
        rare: Hashes of the levels too rare for a code, see `mark_of`; None if there are too many
            of them.
        varies: Whether the column is not nearly constant in the training rows.
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
        """Fit to the training rows; levels too rare to be learnt share code 0."""
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
        """Return the number of codes, including code 0."""
        return 1 + len(self.levels) + self.missing

    def encode(self, series: pd.Series) -> Block:
        """Return the codes of a column."""
        codes, unique = pd.factorize(values_of(without_marks(series, self.marks)).text)
        found = level_codes(unique, self.levels, self.rare)
        unusable = np.append(found < 0, False)[codes]
        table = self._with_missing(found)
        return Block(
            len(series), codes=table[codes][:, None], unusable=cells_of(self.name, unusable)
        )

    def code_table(self, unique: Iterable[object]) -> NDArray[np.int64]:
        """Return the codes of distinct texts, followed by the code of a missing cell."""
        return self._with_missing(level_codes(unique, self.levels, self.rare))

    def _with_missing(self, codes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Replace the codes of unknown levels by 0 and append the code of a missing cell."""
        return np.append(np.maximum(codes, 0), self.cardinality - 1 if self.missing else 0)

    def to_dict(self) -> dict[str, Any]:
        """Return the state as plain values for JSON."""
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
        """Return the column from its stored state."""
        # Models of earlier versions do not store the rare levels.
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
    """Return the hashes of the levels without a code, or None if there are too many."""
    known = set(levels)
    rare = [str(level) for level in every if str(level) not in known]
    if len(rare) > _MOST_RARE:
        return None
    return tuple(sorted({mark_of(one) for level in rare for one in (level, plain_writing(level))}))


def _least_count(n_rows: int) -> int:
    """Return the least frequency among `n_rows` at which a level has its own code."""
    if n_rows < 2_000:
        return 2
    return 4 if n_rows < 20_000 else 8
