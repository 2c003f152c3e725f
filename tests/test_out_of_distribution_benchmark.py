from __future__ import annotations

import numpy as np

from benchmarks.out_of_distribution import resized, shuffled

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 8, 8)).astype(np.uint8)


def test_shuffled_images_keep_their_pixels_and_lose_their_order() -> None:
    found = shuffled(IMAGES)
    assert found.shape == IMAGES.shape
    for before, after in zip(IMAGES, found, strict=True):
        assert (np.sort(before, axis=None) == np.sort(after, axis=None)).all()
        assert (before != after).any()
    same = shuffled(np.repeat(IMAGES[:1], 2, axis=0))
    assert (same[0] != same[1]).any()


def test_resized_images_keep_their_mean() -> None:
    found = resized(IMAGES, 28)
    assert (found.shape, found.dtype) == ((5, 28, 28), np.uint8)
    assert np.allclose(found.mean(axis=(1, 2)), IMAGES.mean(axis=(1, 2)), atol=8.0)
