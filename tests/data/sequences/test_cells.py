"""Lists of tokens, tags and features, laid one after the other."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from autoloss.core.errors import InputError
from autoloss.data.sequences.cells import (
    as_feature,
    as_tags,
    is_of_lists,
    read_values,
    read_words,
    token_places,
)


def column(*cells: object, name: str = "c") -> pd.Series:
    return pd.Series(list(cells), name=name, dtype=object)


def test_text_is_split_into_letters_and_lists_stay() -> None:
    words, lengths = read_words(column("MKV", "", None, np.array(["a", "b"])), label="D")
    assert words.tolist() == ["M", "K", "V", "a", "b"]
    assert lengths.tolist() == [3, 0, 0, 2]


def test_a_missing_cell_and_missing_tags_have_no_value() -> None:
    lengths = np.array([2, 1, 2])
    found = read_values(
        column(["x", None], None, ["y", float("nan")]), lengths, tokens="t", label="D"
    )
    assert found.tolist() == ["x", None, None, "y", None]


def test_a_list_of_another_length_is_named_by_its_row() -> None:
    with pytest.raises(InputError, match=r"D: row 2 .* but has 3 for 2 tokens\."):
        read_values(column(["x"], ["x", "y", "z"]), np.array([1, 2]), tokens="t", label="D")


def test_whole_numbers_with_gaps_are_tags_and_fractions_are_not() -> None:
    tags, whole = as_tags(np.array([1.0, None, 2.0], dtype=object), name="t", label="D")
    assert tags.tolist() == ["1", None, "2"]
    assert whole
    for wrong in ([0.5, None], [1.0, 2.0]):
        with pytest.raises(InputError, match=r"but got the float"):
            as_tags(np.array(wrong, dtype=object), name="t", label="D")


def test_a_feature_is_numbers_if_all_values_are() -> None:
    assert as_feature(np.array(["1", None, 2.5], dtype=object)).tolist()[::2] == [1.0, 2.5]
    assert as_feature(np.array(["1", None, "x"], dtype=object)).tolist() == ["1", None, "x"]


def test_columns_of_lists_are_told_from_others() -> None:
    assert is_of_lists(column(None, ["a"]))
    assert not is_of_lists(column("ab", "c"))
    assert not is_of_lists(pd.Series([1, 2]))


def test_the_tokens_of_sequences_are_found_in_any_order() -> None:
    lengths = np.array([2, 0, 3, 1])
    flat = np.array([f"{row}.{i}" for row, n in enumerate(lengths) for i in range(n)])
    assert flat[token_places(lengths, np.array([3, 1, 0, 3]))].tolist() == [
        "3.0",
        "0.0",
        "0.1",
        "3.0",
    ]
