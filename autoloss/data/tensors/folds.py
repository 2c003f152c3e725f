"""Folds of tensors, which share the rows of their source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from autoloss.data.divide import Piece
from autoloss.data.folds import Encoder
from autoloss.data.parts import Part
from autoloss.data.tensors.encode import TensorEncoding
from autoloss.data.tensors.inputs import TensorInputs


@dataclass(frozen=True, eq=False)
class TensorEncoder(Encoder):
    """Encodes the tensors of a study as folds; see `Encoder`."""

    def fit(self, pieces: Sequence[Piece]) -> TensorEncoding:
        """Return the encoding, to which the rows matter nothing."""
        found: TensorEncoding = pieces[0].source.beside.encoding
        return found

    def inputs(self, piece: Piece, encoding: TensorEncoding) -> TensorInputs:
        """Return the rows of a piece."""
        found: TensorInputs = piece.source.beside.inputs.take(torch.from_numpy(piece.rows))
        return found

    def part(self, piece: Piece, encoding: TensorEncoding) -> Part:
        """Return the rows of a piece, with the weights that a sampler gives them."""
        found, weights = super().part(piece, encoding), piece.source.beside.weights
        return found if weights is None else replace(found, weights=weights[found.rows])

    def judged(self, piece: Piece, encoding: TensorEncoding, counts: Tensor) -> Part:
        """Return held-out rows, of one weight whatever the sampler says, and always alike."""
        found = super().judged(piece, encoding, counts)
        return replace(found, weights=None, inputs=found.inputs.settled)
