"""Folds of tensors, which share the rows of their source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoloss.data.divide import Piece
from autoloss.data.folds import Encoder
from autoloss.data.glimpse import Glimpse
from autoloss.data.parts import Part
from autoloss.data.split import Rows
from autoloss.data.tensors.encode import TensorEncoding
from autoloss.data.tensors.inputs import TensorInputs
from autoloss.data.tensors.tree import Leaf

_LEAST_SIDE = 4


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

    def check_like(self, encoding: TensorEncoding, own: TensorEncoding) -> None:
        """Check that a model reads tensors of the names, shapes and types of the study."""
        own.check_like(encoding.schema.tree, encoding.schema.leaves, label="teacher")

    def plain(self, rows: Rows) -> Any:
        """Return the rows in the structure of their data set, changed alike."""
        beside = self.sources.main.beside
        schema = beside.encoding.schema
        taken = beside.inputs.settled.take(torch.from_numpy(rows))
        return schema.nested([taken.tensors[leaf.name] for leaf in schema.leaves])

    def glimpses(self, table: str, rows: Sequence[int], encoding: TensorEncoding) -> list[Glimpse]:
        """Return small copies of the rows if an input has the shape of an image."""
        beside = self.sources.tables[table].beside
        pictures = [leaf for leaf in beside.encoding.schema.leaves if _is_picture(leaf)]
        if len(pictures) != 1 or not isinstance(beside.inputs, TensorInputs):
            return super().glimpses(table, rows, encoding)
        taken = beside.inputs.settled.take(torch.tensor(list(rows), dtype=torch.int64))
        return [Glimpse.of_pixels(_pixels(one)) for one in taken.tensors[pictures[0].name]]


def _is_picture(leaf: Leaf) -> bool:
    """Return whether a tensor has the shape (C, H, W) of an image in grey or colour."""
    return len(leaf.shape) == 3 and leaf.shape[0] in (1, 3) and min(leaf.shape[1:]) >= _LEAST_SIDE


def _pixels(one: Tensor) -> NDArray[np.uint8]:
    """Return numbers (C, H, W) as bytes (H, W, C), scaled by their range if it exceeds 0 to 1."""
    whole = one.movedim(0, -1).numpy()
    if whole.dtype == np.uint8:
        return whole
    low, high = float(whole.min()), float(whole.max())
    if low >= 0.0 and high <= 1.0:
        low, high = 0.0, 1.0
    scaled: NDArray[np.float64] = (whole - low) * (255.0 / (high - low) if high > low else 0.0)
    return scaled.round().astype(np.uint8)
