"""A report shows a small part of a text or a picture."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

from autoloss.data.glimpse import LONGEST, SIDE, Glimpse


def test_a_long_text_ends_after_a_word() -> None:
    words = Glimpse.of_text("word " * 100).words
    assert words.endswith("word …")
    assert len(words) <= LONGEST + 2
    assert Glimpse.of_text("x" * 5000).words == "x" * LONGEST + " …"
    assert Glimpse.of_text(" \n").words == "(empty)"


def test_a_large_picture_becomes_small_and_keeps_its_shape() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (600, 300, 3)).astype(np.uint8)
    head, code = Glimpse.of_pixels(pixels).picture.split(",")
    assert head == "data:image/jpeg;base64"
    raw = base64.b64decode(code)
    assert Image.open(io.BytesIO(raw)).size == (SIDE // 2, SIDE)
    assert len(raw) < 4000
