"""The decision on several labels: thresholds for F1 or costs, or a number of labels."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score

from autoloss.core.errors import InputError
from autoloss.core.task import Task
from autoloss.data.costs import check_costs, ordered_costs
from autoloss.experiment.label_decision import check_label_decision, with_label_decision
from autoloss.inference.classifier import Classifier
from autoloss.losses import ClassFacts
from autoloss.metrics import Judged, resolve_metric
from autoloss.metrics.known import DECLARED
from autoloss.metrics.label_places import LabelPlaces
from autoloss.readout import Items

NAMES = ("calm", "sad", "loud")
TASK = Task("multilabel", ("no", "yes"), names=NAMES)
RATES = np.array([0.5, 0.2, 0.05])
FACTS = ClassFacts(torch.tensor([[50.0, 50], [80, 20], [95, 5]]), task="multilabel")
COSTS = {name: {"miss": 9.0 - 4 * k, "false_alarm": 1.0} for k, name in enumerate(NAMES)}


def drawn(n: int = 2_000, seed: int = 0) -> tuple[np.ndarray, np.ndarray, Items, np.ndarray]:
    """Return probabilities and answers (N, L), their items, and log probabilities (M, 2)."""
    random = np.random.default_rng(seed)
    odds = np.log(RATES / (1 - RATES)) + 1.5 * random.standard_normal((n, 3))
    probs = 1 / (1 + np.exp(-odds))
    answers = (random.random(probs.shape) < probs).astype(np.int64)
    items = Items.of(torch.from_numpy(answers), FACTS)
    log_probs = items.scores(FACTS.over_classes(torch.from_numpy(odds)[None]))[0].log_softmax(-1)
    return probs, answers, items, log_probs.numpy()


def decided(rule: str | int, metric: Any, **costs: Any) -> tuple[Classifier, np.ndarray]:
    """Return a model that decides by a rule, and its decisions on the rows of `drawn`."""
    probs, _, items, log_probs = drawn()
    model = Classifier(TASK, SimpleNamespace(), ())  # type: ignore[arg-type]
    resolved = resolve_metric(metric, facts=FACTS, **costs)
    found = with_label_decision(model, rule, resolved, log_probs, items, FACTS)
    return found, found.decisions(probs)


@pytest.mark.parametrize(("rule", "metric"), [("f1", "error"), ("metric", "f1_macro")])
def test_thresholds_for_f1_find_more_than_a_half(rule: str, metric: str) -> None:
    found, labels = decided(rule, metric)
    probs, answers, _, _ = drawn()
    assert found.thresholds is not None
    assert float(found.thresholds[2]) < float(found.thresholds[0]) < 0.5
    at_half = f1_score(answers, probs > 0.5, average="macro")
    assert f1_score(answers, labels, average="macro") > at_half + 0.05


@pytest.mark.parametrize(("rule", "metric"), [("metric", "error"), ("likelier", "f1_macro")])
def test_by_default_the_likelier_answer_is_the_decision(rule: str, metric: str) -> None:
    found, labels = decided(rule, metric)
    assert found.thresholds is None
    assert (labels == (drawn()[0] > 0.5)).all()


def test_a_number_of_labels_is_the_likeliest_of_each_row() -> None:
    found, labels = decided("2", "error")
    assert found.labels_each == 2
    assert (labels.sum(1) == 2).all()
    probs = drawn()[0]
    assert (probs[labels == 0].reshape(-1, 1) <= np.sort(probs, 1)[:, 1:2]).all()


def test_the_costs_of_a_label_move_its_threshold() -> None:
    costs = ordered_costs(check_costs(COSTS), TASK)
    assert costs == [[9.0, 1.0], [5.0, 1.0], [1.0, 1.0]]
    found, labels = decided("metric", None, cost_matrix=costs)
    assert found.thresholds is not None
    assert found.thresholds.tolist() == pytest.approx([1 / 10, 1 / 6, 1 / 2])
    probs, answers, items, log_probs = drawn()
    # No other threshold of a label costs less, and the metric is that cost.
    miss, alarm = np.array(costs).T
    paid = (answers * (1 - labels) * miss + (1 - answers) * labels * alarm).mean()
    for other in np.linspace(0.05, 0.6, 12):
        also = probs > other
        assert paid <= (answers * ~also * miss + (1 - answers) * also * alarm).mean() + 0.004
    metric = resolve_metric(None, facts=FACTS, cost_matrix=costs)
    judged = Judged(
        scores=torch.from_numpy(log_probs)[None],
        are_logs=True,
        classes=items.labels,
        facts=FACTS,
        cost_matrix=metric.costs,
        places=LabelPlaces.of(items, FACTS),
    )
    value = judged.value(DECLARED["expected_cost"].function)
    assert float(value[0]) == pytest.approx(paid)


def test_a_file_of_costs_has_labels_down(tmp_path) -> None:
    path = tmp_path / "costs.csv"
    path.write_text("label,false_alarm,miss\nloud,1,20\ncalm,1,2\nsad,1,3\n", encoding="utf-8")
    assert ordered_costs(check_costs(path), TASK) == [[2, 1], [3, 1], [20, 1]]


@pytest.mark.parametrize(
    ("costs", "message"),
    [
        ({**COSTS, "lod": COSTS["sad"]}, "must be of known labels, but got 'lod', did you mean"),
        ({"calm": COSTS["calm"]}, "must have every label, but got none for 'sad', 'loud'"),
        ({**COSTS, "sad": {"miss": 0, "false_alarm": 1}}, "must have costs above 0 for several"),
        ({"no": {"no": 0, "yes": 1}, "yes": {"no": 1, "yes": 0}}, "the columns miss and false_al"),
    ],
)
def test_mistaken_costs_are_refused(costs: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        ordered_costs(check_costs(costs), TASK)


@pytest.mark.parametrize("rule", ["metric", "likelier", "f1", "1", 2])
def test_a_rule_is_known(rule: str | int) -> None:
    check_label_decision(rule, TASK)
    if rule != "metric":
        with pytest.raises(InputError, match="must be left out for one label per row"):
            check_label_decision(rule, Task.of_classes(3))


@pytest.mark.parametrize("rule", ["0", "3", 3, "-1", "f2", "", "1.5"])
def test_another_rule_is_refused(rule: str | int) -> None:
    with pytest.raises(InputError, match="a number of labels from 1 to 2"):
        check_label_decision(rule, TASK)


def test_costs_of_labels_do_not_fit_classes() -> None:
    with pytest.raises(InputError, match="must have a row and a column for each of 3 classes"):
        resolve_metric(None, facts=ClassFacts(torch.ones(3)), cost_matrix=[[1, 2]] * 3)
    with pytest.raises(InputError, match="a row for each of 3 labels"):
        resolve_metric(None, facts=FACTS, cost_matrix=np.eye(3).tolist())
