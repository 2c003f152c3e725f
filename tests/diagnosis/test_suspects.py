"""Labels that may be wrong."""

from __future__ import annotations

import numpy as np
import torch

from autoloss.diagnosis.suspects import suspects_of
from tests.diagnosis.cases import drawn, probabilities

NAMES = ("a", "b", "c", "d")


def test_the_rule_equals_the_confident_joint():
    logits, labels = drawn(300)
    probs = probabilities(logits)
    threshold = np.array([probs[labels == k, k].mean() for k in range(4)])
    expected = []
    for row, label in zip(probs, labels, strict=True):
        confident = [k for k in range(4) if row[k] >= threshold[k]]
        expected.append(bool(confident) and max(confident, key=lambda k: row[k]) != label)
    found, mask = suspects_of(torch.from_numpy(probs).log(), torch.from_numpy(labels), NAMES)
    assert mask.tolist() == expected
    assert found.count == sum(expected)


def test_flipped_labels_come_first_and_exceed_what_overlap_gives():
    logits, labels = drawn(2000, sharpness=1.0, seed=3)
    logits, labels = 4 * logits, (4 * logits).argmax(1)
    flipped = np.random.default_rng(0).choice(2000, 60, replace=False)
    labels[flipped] = (labels[flipped] + 1) % 4
    log_probs = torch.from_numpy(logits).log_softmax(-1)
    found, _ = suspects_of(log_probs, torch.from_numpy(labels), NAMES)
    assert {one.row for one in found.worst} <= set(flipped.tolist())
    gaps = [one.p_given - one.p_suggested for one in found.worst]
    assert gaps == sorted(gaps)


def test_labels_drawn_from_the_model_match_the_expected_number():
    logits, labels = drawn(4000, seed=5)
    log_probs = torch.from_numpy(logits).log_softmax(-1)
    found, _ = suspects_of(log_probs, torch.from_numpy(labels), NAMES)
    assert abs(found.count - found.expected) < 4 * np.sqrt(found.expected)


def test_a_class_without_rows_is_never_confident():
    logits, _ = drawn(200)
    labels = torch.arange(200) % 3
    found, mask = suspects_of(torch.from_numpy(logits).log_softmax(-1), labels, NAMES)
    assert all(one.suggested != "d" for one in found.worst)
    assert bool(mask.any())


def test_rounding_of_equal_probabilities_contradicts_no_label():
    rounding = 1e-7 * np.random.default_rng(0).normal(size=(200, 4))
    log_probs = torch.from_numpy(rounding - np.log(4.0))
    labels = torch.from_numpy(np.random.default_rng(1).integers(0, 4, 200))
    found, mask = suspects_of(log_probs, labels, NAMES)
    assert (found.count, int(mask.sum()), found.worst) == (0, 0, ())
