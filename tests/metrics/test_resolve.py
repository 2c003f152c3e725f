from __future__ import annotations

import numpy as np
import pytest
import torch

from autoloss.errors import InputError
from autoloss.metrics import METRIC_NAMES, Metric, resolve_metric


def test_names_have_their_direction():
    directions = {name: resolve_metric(name).lower_is_better for name in METRIC_NAMES}
    assert directions == {
        "error": True,
        "balanced_error": True,
        "average_precision": False,
        "auroc": False,
    }


def test_unknown_name_shows_the_closest_one():
    with pytest.raises(InputError, match=r"metric='auorc', did you mean 'auroc'\?"):
        resolve_metric("auorc")


@pytest.mark.parametrize("name", ["auroc", "average_precision"])
def test_metrics_of_two_classes_refuse_more(name):
    assert resolve_metric(name, n_classes=2).name == name
    with pytest.raises(InputError, match="must have two classes, but got classes=3"):
        resolve_metric(name, n_classes=3)


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


@pytest.mark.parametrize("metric", [3, None])
def test_neither_name_nor_function_is_refused(metric):
    with pytest.raises(InputError, match="must be a name or a function"):
        resolve_metric(metric)


def test_a_function_is_called_for_finite_candidates_alone(make_probs):
    log_probs, targets = make_probs(3)
    is_finite = torch.tensor([True, False, True])
    values = Metric("cost", function=cost).of_all(log_probs, targets, is_finite)
    assert values.isnan().tolist() == [False, True, False]
    expected = cost(log_probs[2].exp().numpy(), targets.numpy())
    assert values[2].item() == pytest.approx(expected)


def test_a_function_must_return_a_number(make_probs):
    log_probs, targets = make_probs(1)
    metric = Metric("cost", function=lambda probs, targets: "much")
    with pytest.raises(InputError, match="must return one number, but got cost='much'"):
        metric.of_all(log_probs, targets, torch.tensor([True]))
