"""Folds: rows encoded by their own training rows, with their classes and clusters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoloss.core.errors import InputError
from autoloss.data.divide import Piece
from autoloss.data.glimpse import Glimpse
from autoloss.data.parts import Fold, Part, joined
from autoloss.data.roles import group_codes
from autoloss.data.row_costs import row_costs
from autoloss.data.sources import Sources
from autoloss.data.split import Codes, Rows
from autoloss.data.text import TermLimits


@dataclass(frozen=True, eq=False)
class Encoder:
    """Encodes the rows of a study as folds; a kind of input fills in `fit` and `inputs`.

    Args:
        sources: The tables.
        keys: The classes or labels as text, in the order of their codes or logits.
        groups: Column of the groups; None if there are none.
        bins: Largest number of bins of the quantile edges.
        terms: Largest numbers of terms of free text.
    """

    sources: Sources
    keys: list[str]
    groups: str | None
    bins: int
    terms: TermLimits

    def fold(self, train: Piece, valid: Piece, test: Piece | None = None) -> Fold:
        """Return the fold of these rows.

        Raises:
            InputError: The training rows have no column to learn from, or a column of the others
                holds something quite different.
        """
        encoding = self.fit([train])
        encoded = self.part(train, encoding)
        counts = self.count(encoded.targets)
        return Fold(
            train=encoded,
            valid=self.judged(valid, encoding, counts),
            test=None if test is None else self.judged(test, encoding, counts),
            encoding=encoding,
            class_counts=self.sources.main.labels.trained(counts),
        )

    def fit(self, pieces: Sequence[Piece]) -> Any:
        """Return the encoding of some training rows.

        Args:
            pieces: Rows of the data first, then of other tables.

        Raises:
            InputError: The rows have no column to learn from.
        """
        raise NotImplementedError

    def count(self, targets: Any) -> Tensor:
        """Return the rows of each class, (C,), or without and with each label, (L, 2)."""
        return self.sources.main.labels.count(targets, self.keys)

    def judged(self, piece: Piece, encoding: Any, counts: Tensor) -> Part:
        """Encode held-out rows; labels that the training rows do not tell apart are missing.

        Args:
            piece: The rows.
            encoding: The encoding.
            counts: The training rows of each class.
        """
        part = self.part(piece, encoding)
        return replace(part, targets=piece.source.labels.judged(part.targets, counts))

    def whole(self, pieces: Sequence[Piece], encoding: Any = None) -> Fold:
        """Return a fold whose training rows are all rows of some pieces, and that holds out none.

        Args:
            pieces: Rows of the data first, then of other tables.
            encoding: Encodes the rows; None for that of the rows themselves.
        """
        main, known = pieces[0].source, []
        for piece in pieces:
            unknown, _ = piece.source.labels.unknown(self.keys, piece.rows)
            known.append(replace(piece, rows=piece.rows[~unknown]))
        if encoding is None:
            encoding = self.fit(known)
        parts = [self.part(piece, encoding) for piece in known]
        train = parts[0] if len(parts) == 1 else joined(parts)
        none = parts[0].take(torch.zeros(0, dtype=torch.int64))
        counts = main.labels.trained(self.count(train.targets))
        return Fold(train, none, None, encoding, counts)

    def part(self, piece: Piece, encoding: Any) -> Part:
        """Encode the rows of a piece."""
        source = piece.source
        return Part(
            inputs=self.inputs(piece, encoding),
            targets=source.labels.targets(self.keys, piece.rows),
            weights=None,
            rows=torch.tensor(piece.rows, dtype=torch.int64),
            clusters=torch.tensor(self._clusters_of(source.name, piece.rows), dtype=torch.int64),
            table=source.name,
            costs=self._costs_of(source.name, piece.rows),
        )

    def inputs(self, piece: Piece, encoding: Any) -> Any:
        """Encode the rows of a piece."""
        raise NotImplementedError

    def check_like(self, encoding: Any, own: Any) -> None:
        """Check that a model's encoding reads the same inputs as that of the study.

        Args:
            encoding: That of the model, of the same kind.
            own: That of the study.

        Raises:
            InputError: It reads others.
        """

    def plain(self, rows: Rows) -> Any:
        """Return rows of the data in the form of a custom program, before any encoding.

        Raises:
            InputError: There is no such form.
        """
        raise InputError(
            "A module must read numbers, images or the tensors of a data set, but the rows have"
            " another form: give its probabilities in a file."
        )

    def notes(self, fold: Fold) -> list[str]:
        """Return notes for the user on a fold and its encoding."""
        return []

    def glimpses(self, table: str, rows: Sequence[int], encoding: Any) -> list[Glimpse]:
        """Return a report's excerpts of rows of a table: none of columns."""
        return [Glimpse() for _ in rows]

    def frame(self, table: str, rows: Rows) -> pd.DataFrame:
        """Return the rows of a table as gradient boosting reads them; only tables have columns."""
        raise NotImplementedError

    def _clusters_of(self, table: str, rows: Rows) -> Codes:
        """Return the clusters of rows of a table."""
        first, groups = self._clusters[table]
        return first + (rows if groups is None else groups[rows])

    def _costs_of(self, table: str, rows: Rows) -> Tensor | None:
        """Return the costs of rows of a table."""
        return None if self._costs is None else torch.tensor(self._costs[table][rows])

    @cached_property
    def _costs(self) -> dict[str, NDArray[np.float64]] | None:
        """Return the cost of each row of each table; None without a column of costs."""
        column = self.sources.roles.costs
        if column is None:
            return None
        return {name: row_costs(one.table, column) for name, one in self.sources.tables.items()}

    @cached_property
    def _clusters(self) -> dict[str, tuple[int, Codes | None]]:
        """Return the first code of each table, and the groups of its rows if there are any."""
        found: dict[str, tuple[int, Codes | None]] = {}
        first = 0
        for name, source in self.sources.tables.items():
            table = source.table
            if self.groups is None or self.groups not in table.frame.columns:
                found[name] = (first, None)
                first += len(table.frame)
            else:
                codes, _, _ = group_codes(table, self.groups)
                found[name] = (first, codes)
                first += int(codes.max()) + 1
        return found
