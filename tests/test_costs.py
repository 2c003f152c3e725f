"""A cost matrix of a user, the notes on it, and costs that would count twice."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from autoloss.core.errors import InputError
from autoloss.core.task import Task
from autoloss.data.costs import (
    check_costs,
    cost_array,
    cost_notes,
    double_counting,
    is_ever_cheapest,
    ordered_costs,
    weights_beside_costs,
)
from autoloss.experiment.knowledge import ClassKnowledge, KnowledgeOptions
from autoloss.experiment.request import Request
from autoloss.metrics import cost_decisions

PETS = Task("multiclass", ("cat", "lorry", "tiger"))
MAIL = Task("binary", (0, 1))
# Rows are true classes: to take a tiger for a cat is dear.
IN_ORDER = [[0.0, 2.0, 1.0], [3.0, 0.0, 4.0], [90.0, 5.0, 0.0]]


def frame() -> pd.DataFrame:
    table = pd.DataFrame(IN_ORDER, index=PETS.classes, columns=PETS.classes)
    return table.loc[["tiger", "cat", "lorry"], ["lorry", "tiger", "cat"]]


def test_costs_are_the_same_from_a_frame_a_mapping_and_a_file(tmp_path):
    path = tmp_path / "costs.csv"
    frame().to_csv(path)
    mapping = frame().to_dict(orient="index")
    for given in (frame(), mapping, path, str(path)):
        assert ordered_costs(check_costs(given), PETS) == IN_ORDER
        assert cost_array(given, PETS).tolist() == IN_ORDER
    assert cost_array(IN_ORDER, PETS).tolist() == IN_ORDER
    assert ordered_costs(check_costs({1: {0: 10, 1: 0}, 0: {1: 1, 0: 0}}), MAIL) == [
        [0, 1],
        [10, 0],
    ]
    assert ordered_costs(check_costs(None), PETS) is None


@pytest.mark.parametrize(
    ("costs", "message"),
    [
        (frame().rename(columns={"cat": "dog"}), "cost_matrix must name the same classes"),
        (frame().iloc[:2], "cost_matrix must name the same classes"),
        (frame().replace(90.0, np.inf), "true class 'tiger' and decision 'cat'"),
        (frame().astype(object).replace(4.0, "dear"), "true class 'lorry' and decision 'tiger'"),
        ({"cat": {"cat": 0, "dog": 1}, "dog": {"dog": 0}}, "true class 'dog' and decision 'cat'"),
        ({"cat": 1.0, "dog": 2.0}, "map each class to a mapping of the classes"),
        ([[0, 1], [1, 0]], "cost_matrix must be a DataFrame, a file, or map each class"),
        ("nowhere.csv", "nowhere.csv"),
    ],
)
def test_costs_that_cannot_be_are_refused_in_a_line(costs, message):
    with pytest.raises(InputError, match=message) as caught:
        check_costs(costs)
    assert "\n" not in str(caught.value)


def test_costs_of_other_classes_are_refused():
    names = {"cat": "cats"}
    with pytest.raises(
        InputError, match="cost_matrix must be of known classes, but got 'cats', did"
    ):
        ordered_costs(check_costs(frame().rename(index=names, columns=names)), PETS)
    with pytest.raises(
        InputError, match="cost_matrix must have every class, but got none for tig"
    ):
        ordered_costs(check_costs(frame().drop(index="tiger", columns="tiger")), PETS)
    with pytest.raises(InputError, match=r"finite numbers of shape \(3, 3\)"):
        cost_array([[0.0, 1.0], [1.0, 0.0]], PETS)


@pytest.mark.parametrize(
    "matrix", [[[0, 1], [0, 1]], [[3, 3], [5, 5]], [[0, 1], [1, 1]], [[0, 2], [1, 1]]]
)
def test_costs_that_leave_no_choice_are_refused(matrix):
    costs = {row: dict(enumerate(values)) for row, values in enumerate(matrix)}
    with pytest.raises(InputError, match="must leave a choice, but the decision '0' is the cheap"):
        ordered_costs(check_costs(costs), MAIL)


@pytest.mark.parametrize("seed", range(30))
def test_a_decision_can_be_cheapest_if_some_probabilities_make_it_so(seed):
    random = np.random.default_rng(seed)
    # Small whole numbers: ties, equal columns and decisions that only a mixture beats.
    matrix = random.integers(0, 4, (3, 3)).astype(float)
    steps = np.arange(61)
    grid = np.array([(a, b, 60 - a - b) for a in steps for b in steps if a + b <= 60])
    # Whole numbers, so that ties are exact.
    expected = grid @ matrix
    for decision, is_ever in enumerate(is_ever_cheapest(matrix)):
        rivals = [
            other
            for other in range(3)
            if other < decision or (matrix[:, other] != matrix[:, decision]).any()
        ]
        leads = (expected[:, [decision]] < expected[:, rivals]).all(axis=1)
        assert is_ever == leads.any()


def test_the_notes_name_odd_costs():
    assert cost_notes(IN_ORDER, PETS.classes) == ()
    (same,) = cost_notes([[0, 2, 1], [7, 7, 7], [90, 5, 0]], PETS.classes)[:1]
    assert same.startswith("For true class 'lorry' every decision costs the same")
    odd = cost_notes([[0, 2, 1], [3, 4, 3], [90, 5, 0]], PETS.classes)
    assert any("For true class 'lorry' a wrong decision costs less" in note for note in odd)
    never = cost_notes([[0, 1, 1], [1, 0, 1], [1, 1, 1]], PETS.classes)
    assert any("No probabilities lead to the decision 'tiger'" in note for note in never)
    (twice,) = cost_notes(IN_ORDER, PETS.classes, has_weights=True)
    assert twice == weights_beside_costs(has_weights=True, has_costs=True)


WEIGHTED = {"base": "focal", "prior": "class_weight", "class_weight.power": 1.0}


@pytest.mark.parametrize(
    ("loss", "readout", "has_costs", "metric", "is_twice"),
    [
        (WEIGHTED, "softmax", True, "error", True),
        (WEIGHTED, "softmax+temperature", True, "expected_cost", True),
        ({"base": "brier", "prior": "logit_adjust"}, "softmax", True, "error", True),
        (WEIGHTED, "softmax", False, "balanced_error", True),
        (WEIGHTED, "prior+temperature", True, "error", False),
        (WEIGHTED, "link", True, "error", False),
        (WEIGHTED, "softmax", False, "error", False),
        (WEIGHTED, "softmax", False, "auroc", False),
        ({"base": "focal"}, "softmax", True, "error", False),
        ({"base": "focal", "prior": "none"}, "softmax", False, "balanced_error", False),
    ],
)
def test_costs_count_twice_if_weights_remain_and_the_decision_moves(
    loss, readout, has_costs, metric, is_twice
):
    found = double_counting(loss, readout, has_costs=has_costs, metric=metric)
    assert ("twice" in found) == is_twice
    assert bool(found) == is_twice
    assert ("cost matrix" in found) == (is_twice and has_costs)


def test_weights_are_no_trouble_without_costs():
    assert weights_beside_costs(has_weights=True, has_costs=False) == ""
    assert weights_beside_costs(has_weights=False, has_costs=True) == ""


def test_a_weight_and_the_same_cost_are_dearer_than_either_alone():
    weight = 10.0
    costs = [[0.0, 1.0], [weight, 0.0]]
    positive = torch.linspace(0.001, 0.999, 999, dtype=torch.float64)
    # Learnt with weighted positives: half of its probability is the threshold 1 / (1 + weight).
    learnt = weight * positive / (weight * positive + 1.0 - positive)
    assert torch.equal(learnt > 0.5, positive > 1.0 / (1.0 + weight))

    def cost(decided: torch.Tensor) -> float:
        return float(torch.where(decided == 1, 1.0 - positive, weight * positive).mean())

    right = cost_decisions(torch.stack([1.0 - positive, positive], 1), costs)
    twice = cost_decisions(torch.stack([1.0 - learnt, learnt], 1), costs)
    assert torch.equal(right, (learnt > 0.5).long())
    assert cost(right) < cost(twice)


def test_costs_are_arguments_of_a_study_in_the_order_of_its_classes():
    given = ClassKnowledge.of(KnowledgeOptions(cost_matrix=frame()))
    assert given.for_study(PETS)["cost_matrix"] == IN_ORDER
    assert given.metric_name(None) == "expected_cost"
    assert given.metric_name("auroc") == "auroc"
    assert "cost_matrix" not in ClassKnowledge().for_study(PETS)
    assert ClassKnowledge().metric_name(None) is None


def test_the_command_names_the_costs_and_the_metric_that_is_meant(tmp_path):
    path = tmp_path / "costs.csv"
    path.write_text("", encoding="utf-8")
    options = Request(data="rows.csv", cost_matrix=str(path), metric="error")
    assert options.command() == (
        "autoloss search rows.csv --metric error --space default --trials 128 --seed 0 "
        f"--cost-matrix {path}"
    )
    assert Request(data="rows.csv").command() == (
        "autoloss search rows.csv --space default --trials 128 --seed 0"
    )
    assert Request.from_dict(options.to_dict()).cost_matrix == str(path.resolve())
