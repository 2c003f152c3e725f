"""Folds of sequences: tokens encoded by the training sequences of their division."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from autoloss.data.divide import Piece
from autoloss.data.folds import Encoder
from autoloss.data.sequences.cells import SequenceColumns, Tokens
from autoloss.data.sequences.encode import SequenceEncoding
from autoloss.data.sequences.inputs import SequenceInputs


@dataclass(frozen=True, eq=False)
class SequenceEncoder(Encoder):
    """Encodes the sequences of a study's tables as folds; see `Encoder`."""

    def fit(self, pieces: Sequence[Piece]) -> SequenceEncoding:
        """Return the encoding of some training sequences."""
        columns = self._columns
        parts = [self._tokens[piece.source.name].take(piece.rows) for piece in pieces]
        return SequenceEncoding.fit(Tokens.joined(parts), columns=columns)

    def inputs(self, piece: Piece, encoding: SequenceEncoding) -> SequenceInputs:
        """Encode the sequences of a piece."""
        source = piece.source
        own = self._tokens[source.name].take(piece.rows)
        return encoding.encode(own, label=source.table.label)

    @property
    def _columns(self) -> SequenceColumns:
        tokens, *features = self.sources.roles.inputs
        return SequenceColumns(tokens, tuple(features))

    @cached_property
    def _tokens(self) -> dict[str, Tokens]:
        """Return the tokens of each table."""
        columns = self._columns
        return {name: columns.read(one.table) for name, one in self.sources.tables.items()}
