"""Class weights, similarity and a teacher: checks, and the order of the classes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch.testing import assert_close

from autoloss.core.errors import InputError
from autoloss.core.task import Task
from autoloss.data.class_knowledge import (
    check_similarity,
    check_weights,
    ordered_similarity,
    ordered_weights,
)
from autoloss.data.class_table import read_class_table
from autoloss.experiment.teacher import open_teacher, teacher_logits

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
    with pytest.raises(InputError, match="one row a class, but got cat more than once"):
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


def test_a_teacher_gives_its_log_probabilities_by_class():
    data = load_iris(as_frame=True)
    frame = data.frame.assign(target=[data.target_names[code] for code in data.target])
    inputs = frame.drop(columns="target")
    teacher = make_pipeline(StandardScaler(), LogisticRegression()).fit(inputs, frame["target"])
    task = Task("multiclass", ("virginica", "setosa", "versicolor"), "target")
    logits = teacher_logits(open_teacher(teacher), frame, task)
    order = [list(teacher.classes_).index(name) for name in task.classes]
    probs = teacher.predict_proba(inputs)[:, order]
    assert_close(logits.softmax(-1).double(), torch.from_numpy(probs), atol=1e-5, rtol=0)
    assert logits.isfinite().all()


def test_a_teacher_of_other_classes_or_columns_is_refused():
    inputs = pd.DataFrame({"a": [0.0, 1.0, 2.0, 3.0]})
    teacher = LogisticRegression().fit(inputs, ["x", "y", "x", "y"])
    with pytest.raises(InputError, match="teacher must be of known classes, but got 'x'"):
        teacher_logits(teacher, inputs, PETS)
    with pytest.raises(InputError, match="LogisticRegression says"):
        teacher_logits(teacher, inputs.rename(columns={"a": "b"}), Task("binary", ("x", "y")))
    with pytest.raises(InputError, match="teacher must be a model's folder"):
        open_teacher(np.zeros(3))
