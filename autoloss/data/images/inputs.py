"""The inputs of a network for images, and their schema."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class ImageInputs:
    """Rows of images: numbers of images in a store, which other parts share.

    Args:
        store: All images, uint8; a file on the disk that is mapped into memory, if it is large.
        rows: The numbers of the images of this part.

    Shape:
        store (M, H, W, C), rows (N,) or of any shape.
    """

    store: Tensor
    rows: Tensor

    @classmethod
    def of(cls, store: Tensor) -> ImageInputs:
        """Return all images of a store."""
        return cls(store, torch.arange(len(store)))

    @classmethod
    def joined(cls, parts: Sequence[ImageInputs]) -> ImageInputs:
        """Return the concatenated images of several parts."""
        first = parts[0].store
        if all(part.store is first for part in parts):
            return cls(first, torch.cat([part.rows for part in parts]))
        return cls.of(torch.cat([part.pixels for part in parts]))

    def __len__(self) -> int:
        """Return the number of rows N."""
        return len(self.rows)

    def take(self, rows: Tensor) -> ImageInputs:
        """Return the rows with the given numbers, of any shape, in the given order."""
        return ImageInputs(self.store, self.rows[rows.to(self.rows.device)])

    @property
    def pixels(self) -> Tensor:
        """Return the pixels, uint8, ``(N, H, W, C)`` or with the axes of the rows for N."""
        found = self.store.index_select(0, self.rows.flatten())
        return torch.unflatten(found, 0, self.rows.shape)

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> ImageInputs:
        """Return the rows on a device; pixels stay bytes, which the network scales."""
        if torch.device(device).type == "cpu":
            return self
        return ImageInputs(self.pixels.to(device), torch.arange(len(self), device=device))


@dataclass(frozen=True)
class ImageSchema:
    """The shape of `ImageInputs`, which is all that a network needs to know of images.

    Args:
        height: Rows of pixels H.
        width: Columns of pixels W.
        channels: C: 1 for grey, 3 for red, green and blue.
        mean: The mean of each channel over the training images, in bytes.
        scale: Its standard deviation.
    """

    height: int
    width: int
    channels: int
    mean: tuple[float, ...]
    scale: tuple[float, ...]
