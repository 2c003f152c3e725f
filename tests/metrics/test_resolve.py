from __future__ import annotations

import numpy as np
import pytest
import torch

from autoloss.core.errors import InputError
from autoloss.losses import ClassFacts
from autoloss.metrics import METRIC_NAMES, Judged, Metric, resolve_metric


def test_names_have_their_direction():
    lower = {name for name in METRIC_NAMES if resolve_metric(name).lower_is_better}
    of_labels = {"subset_error", "calibration_of_labels"}
    assert lower == {"error", "balanced_error", "log_loss", "brier", *of_labels}


def test_unknown_name_shows_the_closest_one():
    with pytest.raises(InputError, match=r"metric='auorc', did you mean 'auroc'\?"):
        resolve_metric("auorc")


@pytest.mark.parametrize("name", ["auroc", "average_precision"])
def test_metrics_of_two_classes_refuse_more(name):
    assert resolve_metric(name, facts=ClassFacts(torch.ones(2))).name == name
    with pytest.raises(InputError, match="must have two classes, but got classes=3"):
        resolve_metric(name, facts=ClassFacts(torch.ones(3)))


def cost(probs, targets):
    return float(probs[np.arange(len(targets)), targets].mean())


def test_a_function_says_its_direction_by_argument_or_attribute():
    def gain(probs, targets):
        return 1.0

    with pytest.raises(InputError, match="must say its direction"):
        resolve_metric(gain)
    assert resolve_metric(gain, lower_is_better=False).lower_is_better is False
    gain.lower_is_better = True
    assert resolve_metric(gain) == Metric("gain", lower_is_better=True, function=gain)


def test_a_metric_is_taken_as_it_is():
    metric = Metric("cost", lower_is_better=False, function=cost)
    assert resolve_metric(metric) is metric


def test_neither_name_nor_function_is_refused():
    with pytest.raises(InputError, match="must be a name or a function"):
        resolve_metric(3)


COSTS = ((0.0, 1.0), (5.0, 0.0))


def test_the_default_is_the_expected_cost_where_there_are_costs_and_the_error_elsewhere():
    assert resolve_metric(None).name == "error"
    metric = resolve_metric(None, cost_matrix=COSTS)
    assert metric == resolve_metric("expected_cost", cost_matrix=[[0, 1], [5, 0]])
    assert (metric.name, metric.lower_is_better, metric.is_own) == ("expected_cost", True, False)


@pytest.mark.parametrize("metric", ["auroc", Metric("mine", function=cost)])
def test_costs_are_kept_with_every_metric(metric):
    found = resolve_metric(metric, cost_matrix=COSTS)
    assert found.costs == COSTS
    assert found.name == resolve_metric(metric).name
    assert resolve_metric(found) == found


def test_costs_take_the_place_of_those_that_a_metric_has():
    other = ((0.0, 2.0), (3.0, 0.0))
    metric = resolve_metric(resolve_metric(None, cost_matrix=COSTS), cost_matrix=other)
    assert metric == resolve_metric(None, cost_matrix=other)
    wrong = Judged.of_probs(
        np.array([[0.5, 0.5]]),
        np.array([0]),
        facts=ClassFacts(torch.ones(2)),
        cost_matrix=metric.costs,
    )
    assert metric.of_rows(wrong).tolist() == [2.0]


def test_the_expected_cost_without_costs_is_refused():
    with pytest.raises(InputError, match=r"must have a cost matrix.*--cost-matrix FILE"):
        resolve_metric("expected_cost")


@pytest.mark.parametrize(
    ("costs", "message"),
    [
        ([[0, 1, 2, 3], [1, 0, 2, 3]], "a square of finite numbers"),
        ([[0, float("nan")], [1, 0]], "a square of finite numbers"),
        ([[0, 1], [1, 0]], "for each of 3 classes, but got 2 rows"),
    ],
)
def test_costs_that_do_not_fit_are_refused(costs, message):
    with pytest.raises(InputError, match=message):
        resolve_metric("error", facts=ClassFacts(torch.ones(3)), cost_matrix=costs)


def test_a_function_called_expected_cost_stays_the_users():
    def expected_cost(probs, targets):
        return 7.0

    metric = resolve_metric(expected_cost, lower_is_better=True)
    assert metric.is_own
    assert resolve_metric(metric) is metric


def judged(log_probs: torch.Tensor, targets: torch.Tensor) -> Judged:
    """Return the predictions, as the scoring of a study makes them."""
    counts = torch.ones(log_probs.shape[-1])
    return Judged(scores=log_probs, are_logs=True, classes=targets, facts=ClassFacts(counts))


def test_a_function_is_called_for_finite_candidates_alone(make_probs):
    log_probs, targets = make_probs(3)
    log_probs[1, 0] = torch.nan
    values = Metric("cost", function=cost).of_rows(judged(log_probs, targets))
    assert values.isnan().tolist() == [False, True, False]
    expected = cost(log_probs[2].exp().numpy(), targets.numpy())
    assert values[2].item() == pytest.approx(expected)


def test_a_function_must_return_a_number(make_probs):
    log_probs, targets = make_probs(1)
    metric = Metric("cost", function=lambda probs, targets: "much")
    with pytest.raises(InputError, match="must return one number, but got cost='much'"):
        metric.of_rows(judged(log_probs, targets))


def test_tags_of_sequences_have_no_positive_class():
    """Not even if there are two of them; several labels have yes."""
    tags = ClassFacts(torch.ones(2), task="sequence")
    message = "'f1' must have a positive class, but got the tags of sequences; f1_macro is for any"
    with pytest.raises(InputError, match=message):
        resolve_metric("f1", facts=tags)
    assert resolve_metric("f1", facts=ClassFacts(torch.ones(5, 2), task="multilabel")).name == "f1"
