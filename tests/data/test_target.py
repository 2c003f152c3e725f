from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from autoloss.core.errors import InputError
from autoloss.core.task import Task
from autoloss.data.target import read_target
from autoloss.data.target_column import check_classes, make_task
from autoloss.data.values import label_of


def task_of(values: object, positive: str | None = None) -> tuple[Task, str]:
    target = read_target(pd.Series(values), name="y", label="DATA")
    check_classes(target, name="y", label="DATA")
    keys = [str(key) for key in target.keys.dropna().unique()]
    task, order, note = make_task(target, keys, name="y", positive=positive)
    assert sorted(order) == sorted(keys)
    return task, note


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        ([True, False, False] * 10, (False, True)),
        ([0, 1] * 10, (0, 1)),
        ([1.0, 0.0, np.nan] * 10, (0.0, 1.0)),
        ([2**53 + 1, 2**53] * 10, (2**53, 2**53 + 1)),
        ([" b", "b"] * 10, (" b", "b")),
        ([-1, 1] * 10, (-1, 1)),
        ([0.5, 1.5] * 10, (0.5, 1.5)),
        (["Yes", "No"] * 10, ("No", "Yes")),
        (["positive", "other"] * 10, ("other", "positive")),
        (["b", "a", "a"] * 10, ("a", "b")),
        (["a", "b", "b"] * 10, ("b", "a")),
        ([2, 1, 1] * 10, (1, 2)),
        (["c", "a", "b"] * 10, ("a", "b", "c")),
        ([10, 9, 2] * 10, (2, 9, 10)),
        (pd.Categorical(["x", "z", "y"] * 10), ("x", "y", "z")),
        (np.array([True, False, None] * 10, dtype=object), (False, True)),
    ],
)
def test_classes_are_ordered_and_keep_their_type(values: object, classes: tuple) -> None:
    task, note = task_of(values)
    assert task.classes == classes
    assert [type(label) for label in task.classes] == [type(label) for label in classes]
    assert task.kind == ("binary" if len(classes) == 2 else "multiclass")
    assert (f"positive class of 'y' is {label_of(classes[1])!r}" in note) == (len(classes) == 2)


def test_the_positive_label_may_be_chosen() -> None:
    assert task_of(["yes", "no"] * 10, positive="no")[0].positive == "no"
    assert task_of([0, 1] * 10, positive="0")[0].classes == (1, 0)
    with pytest.raises(InputError, match="did you mean 'yes'"):
        task_of(["yes", "no"] * 10, positive="yess")
    with pytest.raises(InputError, match="two classes only"):
        task_of(["a", "b", "c"] * 10, positive="a")


def test_labels_are_the_same_in_every_type() -> None:
    for values in ([1, 0], [1.0, 0.0], ["1", "0"], pd.Categorical([1, 0])):
        target = read_target(pd.Series(values), name="y", label="DATA")
        assert target.codes(["0", "1"]).tolist() == [1, 0]
    target = read_target(pd.Series(["a", None, "c"]), name="y", label="DATA")
    assert target.codes(["a"]).tolist() == [0, -1, -2]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.random.default_rng(0).normal(size=100), "pandas.cut"),
        (np.arange(1000) % 25 / 10, "pandas.cut"),
        (np.arange(1000) % 400, "pandas.cut"),
        ([f"name {i}" for i in range(100)], "100 different values"),
        (["only"] * 30, "every row of DATA is 'only'"),
        (["a", "b"] * 5, "at least 20 rows"),
        (["a"] * 30 + ["b"] * 2, "at least 3 rows"),
        ([None] * 30, "empty throughout"),
        (pd.date_range("2024", periods=30), "30 different values"),
        (pd.date_range("2024", periods=31).repeat(4), "31 different dates"),
        ([[1]] * 30, "has lists in it; for several labels per row add --labels-in list"),
        ([{1}] * 30, "neither numbers nor text"),
    ],
)
def test_labels_that_are_no_classes_are_refused(values: object, expected: str) -> None:
    with pytest.raises(InputError, match=expected) as caught:
        task_of(values)
    assert "\n" not in str(caught.value)
    assert "'y'" in str(caught.value) or "DATA" in str(caught.value)


def test_many_numbers_are_classes_only_if_the_user_says_so() -> None:
    ages = read_target(pd.Series(list(range(17, 87)) * 20), name="age", label="DATA")
    with pytest.raises(InputError, match=r"70 different numbers.*--classes.*classes=True"):
        check_classes(ages, name="age", label="DATA")
    check_classes(ages, name="age", label="DATA", are_classes=True)
    tenths = read_target(pd.Series(np.arange(1000) % 25 / 10), name="y", label="DATA")
    check_classes(tenths, name="y", label="DATA", are_classes=True)
    # No row of a class could be held out.
    every = read_target(pd.Series(np.arange(100)), name="y", label="DATA")
    with pytest.raises(InputError, match="100 different values"):
        check_classes(every, name="y", label="DATA", are_classes=True)


def test_many_words_with_enough_rows_are_classes() -> None:
    assert task_of(list(range(26)) * 20)[0].n_classes == 26
    assert task_of([str(i) for i in range(60)] * 3)[0].n_classes == 60
