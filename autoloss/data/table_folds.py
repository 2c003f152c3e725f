"""Folds of a table: columns encoded by the training rows of their division."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd
import torch

from autoloss.core.errors import InputError
from autoloss.data.divide import Piece
from autoloss.data.encode import TableEncoding
from autoloss.data.folds import Encoder
from autoloss.data.frames import only
from autoloss.data.giveaways import giveaway_notes
from autoloss.data.glimpse import Glimpse
from autoloss.data.inputs import TableInputs
from autoloss.data.notes import encoding_notes
from autoloss.data.parts import Fold
from autoloss.data.split import Rows
from autoloss.data.stored import LARGE, StoredInputs, StoredTable
from autoloss.data.text import TextColumn


@dataclass(frozen=True, eq=False)
class TableEncoder(Encoder):
    """Encodes the rows of a study's tables as folds; see `Encoder`."""

    def fit(self, pieces: Sequence[Piece]) -> TableEncoding:
        """Return the encoding of some training rows."""
        main, rows = pieces[0].source, None
        if len(pieces) == 1:
            frame, rows = self._tables[main.name].frame, pieces[0].rows
        else:
            frames = [self.frame(piece.source.name, piece.rows) for piece in pieces]
            frame = pd.concat(frames, ignore_index=True)
        return TableEncoding.fit(
            frame,
            rows=rows,
            bins=self.bins,
            terms=self.terms,
            label=main.table.label,
            hints=self.sources.hints,
        )

    def inputs(self, piece: Piece, encoding: TableEncoding) -> TableInputs | StoredInputs:
        """Encode the rows of a piece; a large piece is encoded at each `take`."""
        source = piece.source
        if len(piece.rows) * len(encoding.columns) >= LARGE:
            return StoredInputs(self._tables[source.name], encoding, piece.rows)
        frame = self.frame(source.name, piece.rows)
        return encoding.transform(frame, label=source.table.label)

    def plain(self, rows: Rows) -> torch.Tensor:
        """Return the input columns as numbers, ``(N, F)`` in float32.

        Raises:
            InputError: A column has no numbers.
        """
        main = self.sources.main.table
        frame = self.frame("data", rows)
        for name in frame.columns:
            if not pd.api.types.is_numeric_dtype(main.frame[name].dtype):
                raise InputError(
                    f"A module must read numbers, but the column {str(name)!r} of {main.label} has"
                    " others: give its probabilities in a file."
                )
        return torch.from_numpy(frame.to_numpy(dtype="float32", na_value=float("nan")))

    def glimpses(self, table: str, rows: Sequence[int], encoding: TableEncoding) -> list[Glimpse]:
        """Return the first words of the free text of rows."""
        names = [one.name for one in encoding.columns if isinstance(one, TextColumn)]
        texts = self.sources.tables[table].table.frame[names].iloc[list(rows)].fillna("")
        if not names:
            return super().glimpses(table, rows, encoding)
        return [Glimpse.of_text(" | ".join(map(str, row))) for row in texts.to_numpy()]

    def notes(self, fold: Fold) -> list[str]:
        """Return notes on the columns of a fold."""
        return [*encoding_notes(fold.encoding), *giveaway_notes(fold.train, fold.encoding)]

    @cached_property
    def _tables(self) -> dict[str, StoredTable]:
        """Return the input columns of each table."""
        inputs = list(self.sources.roles.inputs)
        return {
            name: StoredTable(only(one.table.frame, inputs))
            for name, one in self.sources.tables.items()
        }

    def frame(self, table: str, rows: Rows) -> pd.DataFrame:
        """Return the input columns of rows of a table, as they were read."""
        frame: pd.DataFrame = self._tables[table].frame.iloc[rows]
        return frame
