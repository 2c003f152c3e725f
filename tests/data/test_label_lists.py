"""A column of lists of labels: its forms, an empty list, a missing cell, and mistakes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from autoloss.core.errors import InputError
from autoloss.data.label_lists import note_of_lists, read_lists
from autoloss.data.read import read_table

LISTS = [["rain", "wind"], [], None, ["sun"], ["wind", "wind", "sun"]]
NAMES = ("rain", "sun", "wind")
HAS = [[1, 0, 1], [0, 0, 0], [0, 0, 0], [0, 1, 0], [0, 1, 1]]


def read(cells: list[object], separator: str | None = None):
    series = pd.Series(cells, dtype=object)
    return read_lists(series, name="tags", label="x.csv", separator=separator)


def check(found) -> None:
    names, has, is_missing = found
    assert names == NAMES
    assert has.astype(int).tolist() == HAS
    assert is_missing.tolist() == [False, False, True, False, False]


@pytest.mark.parametrize(
    "cells",
    [
        LISTS,
        [own if own is None else tuple(own) for own in LISTS],
        [float("nan") if own is None else np.array(own, dtype=object) for own in LISTS],
        [pd.NA if own is None else json.dumps(own) for own in LISTS],
        ["" if own is None else repr(own) for own in LISTS],
    ],
    ids=["lists", "tuples", "arrays", "json", "python"],
)
def test_lists_of_every_form_are_read_alike(cells: list[object]) -> None:
    check(read(cells))


@pytest.mark.parametrize("separator", ["|", "; "])
def test_labels_with_a_separator_are_read(separator: str) -> None:
    # Nothing but a separator is an empty list; an empty cell is missing.
    cells = [None if own is None else separator.join(own) or separator for own in LISTS]
    check(read(cells, separator))


@pytest.mark.parametrize("name", ["x.parquet", "x.jsonl", "x.csv", "x.feather"])
def test_a_file_keeps_its_lists(tmp_path: Path, name: str) -> None:
    path, frame = tmp_path / name, pd.DataFrame({"a": range(5), "tags": LISTS})
    if name.endswith(".parquet"):
        frame.to_parquet(path)
    elif name.endswith(".feather"):
        frame.to_feather(path)
    elif name.endswith(".jsonl"):
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_csv(path, index=False)
    check(read_lists(read_table(path)["tags"], name="tags", label=name))


def test_numbers_are_labels_in_their_order() -> None:
    assert read([[10, 9], [2.0], [9]])[0] == ("2", "9", "10")
    assert read(["10,9", "2", "9,2"], ",")[0] == ("2", "9", "10")


@pytest.mark.parametrize(
    ("cells", "separator", "message"),
    [
        (["a|b", "a"], None, "has the text 'a|b' in row 1; name the text between labels with"),
        (["a|b", "a"], ";", "got ';': Column 'tags' of x.csv has it nowhere, such as 'a|b'"),
        ([["a"], ["b"]], "|", "has it nowhere, and no cell is text"),
        (["a|b"], "", "label_separator must be text, but got ''"),
        ([["a"], [], ["a"]], None, "all that it has is 'a': that is a binary task"),
        ([[], []], None, "but every list is empty"),
        ([1.5, 2.0], None, "must hold lists of labels, but has 1.5 in row 1"),
        ([["a"], [1.5]], None, "text or whole numbers, but has 1.5 in row 2"),
        ([["a"], [["b"]]], None, "but has ['b'] in row 2"),
        ([["a", None]], None, "but has None in row 1"),
        ([["a", " "]], None, "but has ' ' in row 1"),
        ([{"a": 1}], None, "must hold lists of labels, but has {'a': 1} in row 1"),
        ([[f"t{i}"] for i in range(12)], None, "has 12 different ones in 12 labels"),
    ],
)
def test_a_mistake_is_told_in_one_line(
    cells: list[object], separator: str | None, message: str
) -> None:
    with pytest.raises(InputError) as caught:
        read(cells, separator)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("cells", "option"),
    [
        (["a|b", "a", "b", "|"], "--label-separator '|'"),
        (["rain, wind", "wind", "rain"], "--label-separator ','"),
        (["['a']", "['a', 'b']", "[]"], "--labels-in list"),
        (["<50K", ">=50K"], ""),
        (["a, b", "c, d"], ""),
    ],
)
def test_classes_that_look_like_lists_name_the_option(cells: list[str], option: str) -> None:
    said = note_of_lists(cells, name="tags")
    assert option in said
    assert bool(said) == bool(option)
