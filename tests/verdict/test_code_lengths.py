"""Code lengths: the numbers of a code, and the same sums computed label by label."""

from __future__ import annotations

import math

import numpy as np
import pytest

from autoloss.verdict.code_lengths import (
    adaptive_bits,
    adaptive_shares,
    bits,
    block_bits,
    two_part_bits,
)


def one_by_one(labels: np.ndarray, n_classes: int) -> float:
    """Return the bits of labels with shares that are updated after each."""
    counts, total = np.zeros(n_classes), 0.0
    for label in labels:
        total -= math.log2((counts[label] + 0.5) / (counts.sum() + n_classes / 2))
        counts[label] += 1
    return total


def test_bits_are_nats_over_the_logarithm_of_two() -> None:
    nats = -np.log([0.9, 0.6, 0.3, 0.99]).sum()
    assert nats == pytest.approx(1.830209, abs=5e-7)
    assert bits(nats) == pytest.approx(2.640434, abs=5e-7)
    assert bits(-math.log(0.8)) == pytest.approx(0.321928, abs=5e-7)


@pytest.mark.parametrize("n_classes", [2, 3, 7])
def test_adaptive_shares_cost_the_sum_of_their_steps_in_any_order(n_classes: int) -> None:
    random = np.random.default_rng(n_classes)
    labels = random.integers(0, n_classes - 1, 50)
    expected = one_by_one(labels, n_classes)
    assert one_by_one(random.permutation(labels), n_classes) == pytest.approx(expected)
    counts = np.bincount(labels, minlength=n_classes)
    assert adaptive_bits(counts) == pytest.approx(expected)
    # The next label costs minus the logarithm of its share.
    more = counts + np.eye(n_classes, dtype=int)[-1]
    step = -np.log2(adaptive_shares(counts[None])[0, -1])
    assert adaptive_bits(more) - adaptive_bits(counts) == pytest.approx(step)


def test_several_labels_have_shares_of_their_own() -> None:
    counts = np.array([[3, 1], [0, 4]])
    assert adaptive_bits(counts) == pytest.approx(sum(map(adaptive_bits, counts)))
    assert adaptive_shares(counts).sum(-1) == pytest.approx(1.0)


def test_a_block_costs_its_log_loss_and_no_label_is_infinite() -> None:
    random = np.random.default_rng(0)
    probs = random.dirichlet(np.ones(3), 40)
    labels = random.integers(0, 3, 40)
    shares = np.array([[0.5, 0.25, 0.25]])
    mixed = 0.9 * probs + 0.1 * shares
    expected = -np.log2(mixed[np.arange(40), labels]).sum()
    assert block_bits(np.log(probs), labels, shares, before=9) == pytest.approx(expected)
    never = np.array([[0.0, -np.inf, -np.inf]])
    cost = block_bits(never, np.array([1]), shares, before=9)
    assert cost == pytest.approx(-math.log2(0.1 * 0.25))


def test_a_weight_costs_half_of_the_logarithm_of_the_rows() -> None:
    assert two_part_bits(math.log(2), weights=10, rows=1024) == pytest.approx(1 + 10 * 5)
