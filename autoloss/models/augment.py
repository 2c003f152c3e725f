"""Augmentation of images: drawn once a mini-batch, for all candidates that read it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoloss.core.settings import AugmentConfig


def augmented(pixels: Tensor, seeds: Sequence[int], config: AugmentConfig, fill: Tensor) -> Tensor:
    """Return images cropped, shifted, mirrored, and with a square erased, each at random.

    Pixels beyond an edge repeat the edge.

    Args:
        pixels: The images of G mini-batches, bytes.
        seeds: A seed for each of the G.
        config: How far, and whether.
        fill: The bytes of an erased square, one a channel.

    Shape:
        - pixels: ``(G, B, H, W, C)``, also the output
        - fill: ``(C,)``
    """
    if config.is_none:
        return pixels
    return torch.stack(
        [_one(own, seed, config, fill) for own, seed in zip(pixels, seeds, strict=True)]
    )


def _one(pixels: Tensor, seed: int, config: AugmentConfig, fill: Tensor) -> Tensor:
    """Return the images of a mini-batch, (B, H, W, C)."""
    n, h, w, c = pixels.shape
    draw = np.random.default_rng(seed)
    # Every number is drawn whatever the settings, so that they do not move each other's draws.
    down, right, corner = (draw.random((n, 2)) for _ in range(3))
    mirror = draw.random(n) < 0.5 if config.mirror else np.zeros(n, dtype=bool)
    # Of its own generator, so that the draws above equal the draws of a space without it.
    shorter, top, left = np.random.default_rng([seed, 1]).random((3, n, 1))
    share = 1.0 - config.crop * shorter
    rows = _cropped(share, top, h) + _shift(down[:, :1], config.shift, h)
    columns = _cropped(share, left, w) + _shift(right[:, :1], config.shift, w)
    columns = np.where(mirror[:, None], w - 1 - columns, columns)
    places = rows.clip(0, h - 1)[:, :, None] * w + columns.clip(0, w - 1)[:, None, :]
    places += np.arange(n)[:, None, None] * (h * w)
    where = torch.from_numpy(places.ravel()).to(pixels.device)
    found = pixels.reshape(n * h * w, c).index_select(0, where).view(n, h, w, c)
    if config.erase:
        is_erased = down[:, 1] < config.erase
        side = np.array([h, w]) * (0.15 + 0.25 * right[:, 1:])
        first = corner * (np.array([h, w]) - side)
        inside = [
            (np.arange(size) >= first[:, [axis]])
            & (np.arange(size) < (first + side)[:, [axis]])
            & is_erased[:, None]
            for axis, size in enumerate((h, w))
        ]
        box = torch.from_numpy(inside[0][:, :, None] & inside[1][:, None, :]).to(pixels.device)
        found = torch.where(box[..., None], fill.to(found), found)
    return found


def _cropped(
    share: NDArray[np.float64], first: NDArray[np.float64], size: int
) -> NDArray[np.int64]:
    """Return the pixels of parts of a side, repeated so that they fill it, ``(N, size)``.

    Args:
        share: The length of each part relative to the side, ``(N, 1)``.
        first: Where it begins, from 0 (at the start) to 1 (as late as possible), ``(N, 1)``.
        size: Pixels of the side.
    """
    middle = (np.arange(size) + 0.5) * share + first * (1.0 - share) * size
    found: NDArray[np.int64] = np.floor(middle).astype(np.int64)
    return found


def _shift(drawn: NDArray[np.float64], share: float, size: int) -> NDArray[np.int64]:
    """Return whole pixels from -share * size to share * size, for draws from [0, 1)."""
    most = round(share * size)
    found: NDArray[np.int64] = np.floor(drawn * (2 * most + 1)).astype(np.int64) - most
    return found
