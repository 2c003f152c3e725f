"""Folds of images or texts by a frozen network, which share the vectors of their source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from autoloss.core.errors import InputError
from autoloss.data.divide import Piece
from autoloss.data.folds import Encoder
from autoloss.data.frozen.encode import FrozenEncoding
from autoloss.data.frozen.facts import frozen_scope
from autoloss.data.frozen.inputs import VectorInputs
from autoloss.data.frozen.sources import FrozenVectors
from autoloss.data.glimpse import Glimpse
from autoloss.data.parts import Fold


@dataclass(frozen=True, eq=False)
class FrozenEncoder(Encoder):
    """Encodes the vectors of a study as folds; see `Encoder`."""

    def fit(self, pieces: Sequence[Piece]) -> FrozenEncoding:
        """Return the encoding of some training rows."""
        column, *_ = self.sources.roles.inputs
        about: FrozenVectors = pieces[0].source.beside
        parts = [self._stores[piece.source.name][torch.from_numpy(piece.rows)] for piece in pieces]
        return FrozenEncoding.fit(
            torch.cat(parts), column=column, seen=about.seen, extractor=about.extractor
        )

    def inputs(self, piece: Piece, encoding: FrozenEncoding) -> VectorInputs:
        """Return the vectors of a piece."""
        store, rows = self._stores[piece.source.name], torch.from_numpy(piece.rows)
        return VectorInputs(store, rows, encoding.mean, encoding.scale)

    def check_like(self, encoding: FrozenEncoding, own: FrozenEncoding) -> None:
        """Check that a model reads the vectors of the frozen network of the study."""
        if (encoding.reference, encoding.sha256) != (own.reference, own.sha256):
            raise InputError(
                f"teacher must read the vectors of {own.reference}, as the study does, but reads"
                f" those of {encoding.reference}."
            )

    def notes(self, fold: Fold) -> list[str]:
        """Return a note on the limits of the verdict."""
        return [frozen_scope(fold.encoding)]

    def glimpses(self, table: str, rows: Sequence[int], encoding: Any) -> list[Glimpse]:
        """Return the first words of texts, or small copies of images."""
        about: FrozenVectors = self.sources.tables[table].beside
        return [about.glimpse(row) for row in rows]

    @cached_property
    def _stores(self) -> dict[str, Tensor]:
        """Return all vectors of each table."""
        return {
            name: torch.from_numpy(one.beside.vectors) for name, one in self.sources.tables.items()
        }
