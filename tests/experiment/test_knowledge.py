"""Class weights and similarity: checks, and the order of the classes."""

from __future__ import annotations

import pandas as pd
import pytest

from autoloss.core.errors import InputError
from autoloss.core.task import Task
from autoloss.data.class_knowledge import (
    check_similarity,
    check_weights,
    ordered_similarity,
    ordered_weights,
)
from autoloss.data.class_table import read_class_table

PETS = Task("multiclass", ("cat", "lorry", "tiger"))


def alike() -> pd.DataFrame:
    names = ["tiger", "cat", "lorry"]
    return pd.DataFrame([[0, 1, 0], [3, 0, 0], [0, 0, 1]], index=names, columns=names)


def test_weights_stand_in_the_order_of_the_classes():
    weights = check_weights({"tiger": 3, "cat": 1.5, "lorry": 2})
    assert ordered_weights(weights, PETS) == [1.5, 2.0, 3.0]
    numbers = check_weights({1: 4.0, 0: 1.0})
    assert ordered_weights(numbers, Task("binary", (0, 1))) == [1.0, 4.0]
    assert ordered_weights(check_weights(None), PETS) is None


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"cat": 0.0}, "numbers above 0, but got cat=0.0"),
        ({"cat": "much"}, "numbers above 0, but got cat='much'"),
        ([1, 2], "class_weights must map each class to its weight"),
        ({1: 2.0, "1": 3.0}, "class_weights must name each class once, but got 1 more than once"),
    ],
)
def test_weights_that_cannot_be_are_refused(weights, message):
    with pytest.raises(InputError, match=message):
        check_weights(weights)


def test_a_class_twice_in_a_file_of_weights_is_refused(tmp_path):
    file = tmp_path / "weights.csv"
    file.write_text("class,weight\ncat,1\ntiger,50\ncat,1\nlorry,2\n", encoding="utf-8")
    with pytest.raises(InputError, match="one row per class, but got cat more than once"):
        check_weights(file)


def test_a_class_twice_in_a_table_of_classes_is_refused():
    twice = {1: {1: 0.0, "1": 1.0}, "1": {1: 1.0, "1": 0.0}}
    with pytest.raises(InputError, match="cost_matrix must name each class once, but got 1"):
        read_class_table(twice, "cost_matrix")


def test_weights_of_other_classes_are_refused():
    with pytest.raises(InputError, match="'cats', did you mean 'cat'"):
        ordered_weights({"cats": 1.0, "lorry": 1.0, "tiger": 1.0}, PETS)
    with pytest.raises(InputError, match="every class, but got none for lorry, tiger"):
        ordered_weights({"cat": 1.0}, PETS)


def test_a_similarity_is_the_same_from_a_frame_and_from_a_file(tmp_path):
    path = tmp_path / "alike.csv"
    alike().to_csv(path)
    expected = [[0.0, 0.0, 3.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
    for given in (alike(), path, str(path)):
        assert ordered_similarity(check_similarity(given), PETS) == expected


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.rename(columns={"cat": "dog"}), "must name the same classes"),
        (lambda t: t.replace(3, -1), "numbers of at least 0"),
        (lambda t: t.astype(object).replace(3, "much"), "numbers of at least 0"),
    ],
)
def test_a_similarity_that_cannot_be_is_refused(change, message):
    with pytest.raises(InputError, match=message):
        check_similarity(change(alike()))


def test_a_row_without_any_likeness_is_refused():
    with pytest.raises(InputError, match="a number above 0 in every row, but 'lorry'"):
        ordered_similarity(check_similarity(alike().replace({"lorry": {1: 0}})), PETS)
