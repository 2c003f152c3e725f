"""Metrics of one's own: their arguments for each kind of label, their checks, and their files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn import metrics as sklearn_metrics

from autoloss.core.errors import InputError
from autoloss.losses import ClassFacts
from autoloss.metrics import Judged, Metric, recall_metrics, take_metrics
from autoloss.metrics.label_places import LabelPlaces
from autoloss.metrics.own import check_values
from autoloss.metrics.token_places import TokenPlaces
from autoloss.readout import Items
from autoloss.verdict.metric_rows import metric_on_rows

SEEN: list[Any] = []


def seen(predicted: Any, targets: Any) -> float:
    """Keep the arguments."""
    SEEN.append((predicted, targets))
    return 1.0


def judged(logits: torch.Tensor, labels: torch.Tensor, facts: ClassFacts) -> Judged:
    """Return the predictions of candidates, as the scoring of a study makes them."""
    items = Items.of(labels, facts)
    scores = items.scores(facts.over_classes(logits.double()))
    return Judged(
        scores=scores.log_softmax(-1),
        are_logs=True,
        classes=items.labels,
        facts=facts,
        places=LabelPlaces.of(items, facts),
        tokens=TokenPlaces.of(items, facts),
    )


def arguments(metric: Metric, predictions: Judged) -> tuple[Any, Any]:
    """Return the arguments for the first candidate."""
    SEEN.clear()
    assert metric.of_rows(predictions).tolist() == [1.0] * len(predictions.scores)
    return SEEN[0]


def test_one_label_a_row_has_probabilities_or_logits_and_classes() -> None:
    logits, classes = torch.randn(2, 9, 3), torch.arange(9) % 3
    predictions = judged(logits, classes, ClassFacts(torch.ones(3)))
    probs, targets = arguments(Metric("seen", function=seen), predictions)
    np.testing.assert_allclose(probs, logits[0].double().softmax(-1))
    assert targets.tolist() == classes.tolist()
    found, _ = arguments(Metric("seen", function=seen, of="logits"), predictions)
    np.testing.assert_allclose(torch.tensor(found).softmax(-1), probs)


def test_several_labels_have_a_matrix_with_nan_where_a_label_is_missing() -> None:
    facts = ClassFacts(torch.ones(3, 2), task="multilabel")
    logits, labels = (
        torch.randn(1, 4, 3),
        torch.tensor([[1, 0, 1], [0, -1, 0], [1, 1, 0], [0] * 3]),
    )
    probs, targets = arguments(Metric("seen", function=seen), judged(logits, labels, facts))
    is_known = (labels >= 0).numpy()
    np.testing.assert_allclose(probs[is_known], logits[0].double().sigmoid().numpy()[is_known])
    assert np.array_equal(np.isnan(targets), ~is_known)
    assert np.array_equal(np.isnan(probs), ~is_known)
    metric = Metric("seen", function=seen, of="logits")
    odds, targets = arguments(metric, judged(logits, labels.clamp(0), facts))
    np.testing.assert_allclose(odds, logits[0].double(), rtol=1e-6)
    # Whole numbers, as scikit-learn's scores of indicators want them.
    assert sklearn_metrics.hamming_loss(targets, odds > 0) == pytest.approx(
        float(((logits[0] > 0) != (labels.clamp(0) == 1)).double().mean())
    )


def test_sequences_have_a_list_of_arrays() -> None:
    facts = ClassFacts(torch.ones(3), task="sequence", names=("a", "b", "c"))
    tags = torch.tensor([[0, 1, 2, -100], [2, -100, -100, -100], [1, 1, 0, 0]])
    logits = torch.randn(1, 3, 4, 3)
    probs, targets = arguments(Metric("seen", function=seen), judged(logits, tags, facts))
    assert [one.tolist() for one in targets] == [[0, 1, 2], [2], [1, 1, 0, 0]]
    assert [one.shape for one in probs] == [(3, 3), (1, 3), (4, 3)]
    np.testing.assert_allclose(probs[1][0], logits[0, 1, 0].double().softmax(-1))


@pytest.mark.parametrize("kind", ["multilabel", "sequence"])
def test_a_row_that_a_resample_draws_twice_is_two_rows(kind: Any) -> None:
    shape = (2, 2) if kind == "multilabel" else (3,)
    facts = ClassFacts(torch.ones(shape), task=kind, names=("a", "b", "c"))
    labels = torch.tensor([[0, 1], [1, 0], [1, 1]])
    logits = torch.randn(1, 3, 2) if kind == "multilabel" else torch.randn(1, 3, 2, 3)
    items, predictions = Items.of(labels, facts), judged(logits, labels, facts)
    metric = metric_on_rows(Metric("seen", function=seen), facts, items)
    drawn = np.repeat(np.arange(6), [2, 2, 0, 0, 1, 1])
    probs, classes = predictions.scores[0].exp().numpy(), items.labels.numpy()
    SEEN.clear()
    metric.among(drawn).fn(probs[drawn], classes[drawn])
    assert [row.tolist() for row in SEEN[0][1]] == [[0, 1], [0, 1], [1, 1]]


def wrong(value: Any, **more: Any) -> Metric:
    """Return a metric with a value."""
    return Metric("mine", function=lambda probs, targets: value(probs, targets), **more)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (lambda p, y: float("nan"), "must be finite on the held-out rows, but got mine=nan"),
        (lambda p, y: p[:, 0], r"one number, but got mine=an array of shape \(12,\)"),
        (lambda p, y: p[:1, 0], r"one number, but got mine=an array of shape \(1,\)"),
        (lambda p, y: None, "one number, but got mine=None"),
        (lambda p, y: {}["x"], "one number, but mine gave KeyError: 'x'"),
        (lambda p, y: p[0, 0], r"order of the rows, .*set mine.independent = False"),
        (lambda p, y: float(y[0]), r"order of the rows, .*set mine.independent = False"),
    ],
)
def test_a_metric_that_is_no_number_of_the_rows_is_refused_in_a_line(
    value: Any, message: str
) -> None:
    predictions = judged(torch.randn(1, 12, 2), torch.arange(12) % 2, ClassFacts(torch.ones(2)))
    with pytest.raises(InputError, match=message) as refused:
        check_values(wrong(value), predictions)
    assert "\n" not in str(refused.value)


def test_a_metric_of_rows_that_depend_on_each_other_may_depend_on_their_order() -> None:
    predictions = judged(torch.randn(1, 12, 2), torch.arange(12) % 2, ClassFacts(torch.ones(2)))
    check_values(wrong(lambda p, y: p[0, 0], independent=False), predictions)
    check_values(wrong(lambda p, y: torch.tensor(p).mean()), predictions)


FILE = """
import numpy as np
from autoloss.metrics import Metric
def gain(probs, classes):
    return float(probs[:, 1][classes == 1].mean())
gain.lower_is_better = False
def silent(probs, classes):
    return 1.0
reward = Metric("any", lower_is_better=False, function=lambda model: 1.0, of="model")
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(FILE, encoding="utf-8")
    return path


def test_a_file_and_a_program_give_the_same_metrics(file: Path) -> None:
    found = take_metrics([f"{file}:gain", f"{file}:reward"])
    assert [one.name for one in found.metrics] == ["gain", "reward"]
    assert [one.is_of_models for one in found.metrics] == [False, True]
    assert {origin.file for origin in found.origins.values() if origin} == {str(file)}
    gain = found.metrics[0].function
    by_name = take_metrics({"profit": gain})
    assert by_name.metrics == (Metric("profit", lower_is_better=False, function=gain),)
    assert by_name.resolved("profit") == by_name.metrics[0]
    assert take_metrics(None, f"{file}:gain").metrics == found.metrics[:1]
    assert take_metrics(None, "error").metrics == ()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("{file}:silent", "silent.lower_is_better=None; set it to True or False"),
        ("{file}:gian", "must name a function of mine.py, but it has no 'gian'"),
        ("{file}", r"must be named as FILE.py:NAME, but got"),
        ("nowhere.py:gain", "metric must be a Python file that can be read"),
        ({"profit": "{file}:gain"}, "must be named as FILE.py:profit"),
        ({"f1": seen}, "seen|f1.lower_is_better=None"),
        ({"brier": Metric("x", function=seen)}, "a new name, but got 'brier'"),
        ({"ece": Metric("x", function=seen)}, "a new name, but got 'ece'"),
        ({"my gain": Metric("x", function=seen)}, "letters, digits and underscores"),
        ([Metric("x", function=seen), Metric("x", function=wrong)], "but got x twice"),
    ],
)
def test_a_metric_that_cannot_be_used_is_refused_in_a_line(
    file: Path, given: Any, message: str
) -> None:
    if isinstance(given, str):
        given = given.format(file=file)
    elif isinstance(given, dict):
        given = {
            name: one.format(file=file) if isinstance(one, str) else one
            for name, one in given.items()
        }
    with pytest.raises(InputError, match=message) as refused:
        take_metrics(given)
    assert "\n" not in str(refused.value)


def test_the_words_of_a_metric_are_checked() -> None:
    with pytest.raises(InputError, match=r"mine\.of='probs'"):
        Metric("mine", function=seen, of="probs")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"mine\.independent='no'"):
        Metric("mine", function=seen, independent="no")  # type: ignore[arg-type]


def test_a_study_finds_its_metrics_again(file: Path) -> None:
    begun = take_metrics([f"{file}:gain"])
    assert recall_metrics(begun.origins, None, None, study="s") == begun
    objects = take_metrics({"profit": begun.metrics[0]})
    with pytest.raises(InputError, match="'profit' and no file has it: give it by metric="):
        recall_metrics(objects.origins, None, None, study="s")
    again = {"profit": begun.metrics[0]}
    assert recall_metrics(objects.origins, again, None, study="s") == objects
    file.write_text(FILE + "\n", encoding="utf-8")
    with pytest.raises(InputError, match="but it has changed: search with it under another name"):
        recall_metrics(begun.origins, None, None, study="s")
