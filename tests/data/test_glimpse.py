"""A report shows a small part of a text or an image."""

from __future__ import annotations

import base64
import io

import numpy as np
import pandas as pd
from PIL import Image

from autoloss.data import DataOptions, prepare
from autoloss.data.glimpse import LONGEST, SIDE, Glimpse


def test_a_long_text_ends_after_a_word() -> None:
    words = Glimpse.of_text("word " * 100).words
    assert words.endswith("word …")
    assert len(words) <= LONGEST + 2
    assert Glimpse.of_text("x" * 5000).words == "x" * LONGEST + " …"
    assert Glimpse.of_text(" \n").words == "(empty)"


def test_a_large_image_becomes_small_and_keeps_its_shape() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (600, 300, 3)).astype(np.uint8)
    head, code = Glimpse.of_pixels(pixels).picture.split(",")
    assert head == "data:image/jpeg;base64"
    raw = base64.b64decode(code)
    assert Image.open(io.BytesIO(raw)).size == (SIDE // 2, SIDE)
    assert len(raw) < 4000


def test_the_free_text_of_a_row_is_shown_and_nothing_of_other_columns() -> None:
    draw = np.random.default_rng(0)
    words = draw.choice(["red", "green", "blue", "small", "large"], (80, 6))
    frame = pd.DataFrame({"n": draw.normal(size=80), "text": [" ".join(row) for row in words]})
    frame["y"] = draw.choice(["no", "yes"], 80)
    options = DataOptions(target="y", columns={"text": "text"})
    shown = prepare(frame, options).glimpses("data", [5, 0])
    assert [one.words for one in shown] == [frame["text"][5], frame["text"][0]]
    plain = prepare(frame.drop(columns="text"), DataOptions(target="y"))
    assert plain.glimpses("data", [5]) == [Glimpse()]
