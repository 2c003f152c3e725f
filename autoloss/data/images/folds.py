"""Folds of images, which share the pixels of their source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from autoloss.core.errors import InputError
from autoloss.data.divide import Piece
from autoloss.data.folds import Encoder
from autoloss.data.glimpse import Glimpse
from autoloss.data.images.decode import PictureShape
from autoloss.data.images.encode import ImageEncoding
from autoloss.data.images.inputs import ImageInputs
from autoloss.data.split import Rows


@dataclass(frozen=True, eq=False)
class ImageEncoder(Encoder):
    """Encodes the images of a study as folds; see `Encoder`."""

    def fit(self, pieces: Sequence[Piece]) -> ImageEncoding:
        """Return the encoding of some training images."""
        inputs = ImageInputs.joined([self._of(piece) for piece in pieces])
        column, *_ = self.sources.roles.inputs
        _, height, width, channels = inputs.store.shape
        return ImageEncoding.fit(
            inputs, column=column, shape=PictureShape(height, width, channels)
        )

    def inputs(self, piece: Piece, encoding: ImageEncoding) -> ImageInputs:
        """Return the images of a piece."""
        return self._of(piece)

    def check_like(self, encoding: ImageEncoding, own: ImageEncoding) -> None:
        """Check that a model reads images of the size of the study."""
        if encoding.shape != own.shape:
            raise InputError(
                f"teacher must read images of {own.shape.text}, as the study does, but reads"
                f" {encoding.shape.text}."
            )

    def plain(self, rows: Rows) -> torch.Tensor:
        """Return the images as numbers from 0 to 1, ``(N, C, H, W)``."""
        pixels = self._stores["data"].take(torch.from_numpy(rows)).pixels
        return pixels.float().div_(255.0).movedim(-1, 1)

    def glimpses(self, table: str, rows: Sequence[int], encoding: Any) -> list[Glimpse]:
        """Return small copies of the images of rows, at the size at which they are read."""
        pixels = self.sources.tables[table].beside
        return [Glimpse.of_pixels(pixels[row]) for row in rows]

    def _of(self, piece: Piece) -> ImageInputs:
        return self._stores[piece.source.name].take(torch.from_numpy(piece.rows))

    @cached_property
    def _stores(self) -> dict[str, ImageInputs]:
        """Return all images of each table."""
        return {
            name: ImageInputs.of(torch.from_numpy(one.beside))
            for name, one in self.sources.tables.items()
        }
