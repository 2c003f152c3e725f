"""Columns that tell the class alone are named; chance and usual columns are not."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from autoloss.data import DataOptions, prepare

RANDOM = np.random.default_rng(0)
N = 240
LABEL = np.array(["stays", "leaves", "asks"])[RANDOM.integers(0, 3, N)]
PLACE = pd.Series(LABEL).map({"asks": 0, "leaves": 1, "stays": 2}).to_numpy()
USUAL = RANDOM.normal(size=N)
HALF = np.where(RANDOM.random(N) < 0.5, PLACE, 3)


def noted(columns: dict[str, object], label: object = LABEL) -> list[str]:
    frame = pd.DataFrame({"usual": USUAL} | columns | {"y": label})
    notes = prepare(frame, DataOptions(target="y")).notes
    return [note for note in notes if "leave" in note and "--drop" in note]


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(LABEL).map({"asks": "red", "leaves": "blue", "stays": "green"}),
        # Several levels of a class, and a missing cell of another.
        pd.Series(LABEL) + RANDOM.choice(list("ab"), N),
        pd.Series(LABEL).map({"asks": "x", "leaves": "y"}),
        PLACE * 10 + RANDOM.random(N),
        np.where(PLACE == 1, np.nan, -PLACE + 0.1 * RANDOM.random(N)),
    ],
)
def test_a_column_that_tells_the_class_alone_is_named(column: object) -> None:
    (note,) = noted({"outcome": column})
    assert "'outcome' alone determines the class of all 192 training rows: leave it out" in note


@pytest.mark.parametrize(
    "column",
    [
        USUAL[::-1],
        pd.Series(HALF).astype(str),
        # One class lies between two parts of another.
        np.where(PLACE == 1, 0.0, RANDOM.choice([-1.0, 1.0], N)) + 0.1 * RANDOM.random(N),
        np.minimum(PLACE, 1),
        np.where(RANDOM.random(N) < 0.05, np.nan, PLACE * 10 + RANDOM.random(N)),
    ],
)
def test_a_column_that_does_not_tell_every_row_is_not_named(column: object) -> None:
    assert noted({"outcome": column}) == []


def test_the_note_counts_the_rows_that_it_looked_at() -> None:
    label = np.tile(["no", "yes"], 15_000)
    frame = pd.DataFrame({"usual": np.arange(30_000) % 7, "outcome": label == "yes", "y": label})
    (note,) = [note for note in prepare(frame, DataOptions(target="y")).notes if "--drop" in note]
    counts = r"of all ([\d,]+) training rows that were checked \(of ([\d,]+)\): leave it out"
    looked_at, of = (int(count.replace(",", "")) for count in re.search(counts, note).groups())
    assert looked_at <= 10_000 < of < 30_000
    # Every second of them.
    assert looked_at == of // 2


def test_several_are_named_together_and_chance_is_not() -> None:
    (note,) = noted({"a": PLACE * 1.5, "b": pd.Series(LABEL).str.upper()})
    assert "each of 'a', 'b' alone determines the class" in note
    # One rare row is at an end of some of 40 columns of noise.
    rare = np.where(np.arange(N) < 4, "rare", "usual")
    noise = {f"noise{k}": RANDOM.normal(size=N) for k in range(40)}
    assert noted(noise, rare) == []
    few = slice(0, 24)
    frame = pd.DataFrame({"usual": USUAL[few], "a": PLACE[few], "y": LABEL[few]})
    assert not any("--drop" in note for note in prepare(frame, DataOptions(target="y")).notes)
