"""The figures of each label equal those of its column alone; pairs show the errors of a model."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn import metrics as sklearn_metrics

from autoloss.losses import ClassFacts
from autoloss.metrics.label_places import LabelPlaces
from autoloss.readout import Items
from autoloss.records.labels import LabelInsights
from autoloss.search.label_insights import label_insights

NAMES = ("cat", "dog", "lorry", "never")


def judged(
    *, missing: float = 0.0, better: float = 0.0, n: int = 800, seed: int = 0
) -> tuple[LabelInsights, np.ndarray, np.ndarray, np.ndarray]:
    """Return the insights, log odds of both models (2, N, L) and answers (N, L)."""
    random = np.random.default_rng(seed)
    base = np.array([-2.0, 0.0, 1.0, -3.0]) + 1.5 * random.standard_normal((n, 4))
    # Cat and dog go together beyond their log odds.
    shared = random.standard_normal((n, 1)) * [2.0, 2.0, 0.0, 0.0]
    answers = (random.random((n, 4)) < 1 / (1 + np.exp(-base - shared))).astype(np.int64)
    answers[:, 3] = 0
    answers[random.random((n, 4)) < missing] = -1
    odds = np.stack([base + better * shared, base])
    facts = ClassFacts(torch.tensor([[90.0, 10]] * 4), task="multilabel")
    items = Items.of(torch.from_numpy(answers), facts)
    log_probs = items.scores(facts.over_classes(torch.from_numpy(odds))).log_softmax(-1)
    places = LabelPlaces.of(items, facts)
    assert places is not None
    found = label_insights((log_probs[0], log_probs[1]), items.labels, places, NAMES, shipped=1)
    return found, odds, answers, items.labels.numpy()


def test_the_figures_of_a_label_are_those_of_its_column() -> None:
    found, odds, answers, _ = judged(missing=0.2)
    assert [one.name for one in found.labels] == list(NAMES)
    for label, one in enumerate(found.labels):
        known = answers[:, label] >= 0
        truth, scores = answers[known, label], odds[1, known, label]
        assert (one.rows, one.positives) == (known.sum(), truth.sum())
        assert one.decided == (scores > 0).sum()
        assert one.error == pytest.approx(np.mean((scores > 0) != truth))
        if label == 3:
            assert np.isnan([one.average_precision, one.auroc, one.f1]).all()
            continue
        own = sklearn_metrics.average_precision_score(truth, scores)
        assert one.average_precision == pytest.approx(own)
        assert one.auroc == pytest.approx(sklearn_metrics.roc_auc_score(truth, scores))
        assert one.f1_at_half == pytest.approx(sklearn_metrics.f1_score(truth, scores > 0))
        assert 0.0 < one.threshold < 1.0
    assert found.labels[0].f1 > found.labels[0].f1_at_half
    assert found.positives == (answers == 1).sum()
    assert found.decided == found.baseline_decided == ((odds[1] > 0) & (answers >= 0)).sum()


def test_the_difference_of_a_label_has_an_interval_and_a_corrected_p_value() -> None:
    same = judged(better=0.0)[0].labels
    assert [(one.difference, one.low, one.p_value) for one in same] == [(0.0, 0.0, 1.0)] * 4
    cat, dog, lorry, _ = judged(better=0.8)[0].labels
    for one in (cat, dog):
        assert one.low < one.difference < one.high < 0.0
        assert one.p_value < 0.001
    assert lorry.difference == 0.0
    # Six labels that are the same column: each p-value is six times that of the label alone.
    random = np.random.default_rng(0)
    noise = random.normal(0.03, 0.5, (200, 1))
    answers = torch.ones(200, 6, dtype=torch.int64)
    facts = ClassFacts(torch.tensor([[1.0, 1]] * 6), task="multilabel")
    items = Items.of(answers, facts)
    places = LabelPlaces.of(items, facts)
    assert places is not None
    logits = torch.from_numpy(np.repeat(np.stack([noise + 1.0, noise * 0.0 + 1.0]), 6, -1))
    log_probs = items.scores(facts.over_classes(logits)).log_softmax(-1)
    names = tuple("abcdef")
    six = label_insights((log_probs[0], log_probs[1]), items.labels, places, names, shipped=0)
    first = items.rows * 0 + torch.arange(1200) % 6 == 0
    alone = label_insights(
        (log_probs[0][first], log_probs[1][first]),
        items.labels[first],
        LabelPlaces(places.numbers[::6], places.rows[::6], places.clusters[::6], 1),
        ("a",),
        shipped=0,
    )
    assert six.labels[0].p_value == pytest.approx(min(1.0, 6 * alone.labels[0].p_value))


def test_labels_that_go_together_beyond_the_inputs_are_named() -> None:
    found = judged(n=2_000)[0]
    assert [(one.one, one.other) for one in found.missed] == [("cat", "dog")]
    assert found.missed[0].missed > 0.1
    assert found.missed[0].correlation > 0.1
    _, odds, answers, _ = judged(n=2_000)
    half = odds[1] > 0
    for pair in found.swapped:
        a, b = NAMES.index(pair.one), NAMES.index(pair.other)
        both = sum(
            ((answers[:, x] == 1) & ~half[:, x] & (answers[:, y] == 0) & half[:, y]).sum()
            for x, y in ((a, b), (b, a))
        )
        assert pair.swapped == both


def test_a_correlation_counts_the_rows_of_which_both_labels_are_known() -> None:
    found, _, answers, _ = judged(missing=0.3, n=3_000)
    pair = found.missed[0]
    known = (answers[:, :2] >= 0).all(1)
    assert pair.rows == known.sum()
    assert pair.correlation == pytest.approx(np.corrcoef(answers[known, :2].T)[0, 1])


def test_the_worst_labels_have_a_diagram() -> None:
    found = judged(n=2_000)[0]
    # The log odds of cat and dog leave out a part of the inputs, so they are too sure.
    assert {one.name for one in found.worst} >= {"cat", "dog"}
    assert all(sum(one.count) == 2_000 for one in found.worst)
