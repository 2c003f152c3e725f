"""Rare positives: the notes on them, and the negatives that a search trains on."""

from __future__ import annotations

import pytest
import torch

from autoloss.core.errors import InputError, SpaceError
from autoloss.data.rare import is_rare, rare_notes, sampling_rates, subsample
from autoloss.search import load_space


def test_positives_are_rare_below_two_percent_of_two_classes():
    assert is_rare([981, 19])
    assert not is_rare([980, 20])
    # The second class is the positive one, and without a positive nothing can be said of them.
    assert not is_rare([19, 981])
    assert not is_rare([100, 0])
    assert rare_notes([980, 20], 256, "error", False) == ()


def test_the_notes_count_the_positives_and_name_the_error_of_ignoring_them():
    first, second = rare_notes([10_000, 103], 256, "error", False)
    assert "103 of 10,103 rows (1.02%)" in first
    assert "2.6 positives in a mini-batch of 256" in first
    assert "has an error of 1.02%" in second
    assert "--metric average_precision" in second
    assert "--cost-matrix" in second


def test_no_metric_is_proposed_if_the_metric_sees_the_positives():
    for metric in ("average_precision", "auroc", "expected_cost", "balanced_error"):
        assert len(rare_notes([10_000, 103], 256, metric, False)) == 1
    _, proposal = rare_notes([10_000, 103], 256, "error", True)
    assert "leave --metric out for the expected cost" in proposal


def test_the_notes_count_the_positives_that_a_batch_has_with_fewer_negatives():
    notes = rare_notes([10_000, 100], 256, "auroc", False, negatives=31)
    assert "31 negatives for each, 8.0 positives in a mini-batch" in notes[-1]
    assert len(rare_notes([10_000, 100], 256, "auroc", False, negatives=100)) == 1


@pytest.mark.parametrize("negatives", [1, 10, 2.5])
def test_every_positive_is_kept_and_so_many_negatives_for_each(negatives):
    random = torch.Generator().manual_seed(1)
    targets = (torch.rand(5000, generator=random) < 0.02).long()
    rows, rates = subsample(targets, negatives, seed=3)
    positive = int(targets.sum())
    kept = torch.bincount(targets[rows], minlength=2)
    assert kept.tolist() == [round(negatives * positive), positive]
    assert torch.equal(rates, kept.double() / torch.bincount(targets).double())
    assert torch.equal(rates, sampling_rates(torch.bincount(targets), negatives))
    assert torch.equal(rows, rows.unique())
    assert torch.equal(rows, subsample(targets, negatives, seed=3)[0])
    assert not torch.equal(rows, subsample(targets, negatives, seed=4)[0])


def test_negatives_are_drawn_evenly():
    targets = torch.tensor([0] * 30 + [1] * 3)
    drawn = torch.zeros(33)
    for seed in range(600):
        drawn[subsample(targets, 5, seed=seed)[0]] += 1
    share = drawn[:30] / 600
    # Half of them each time, give or take five standard errors.
    assert (share - 0.5).abs().max() < 5 * (0.25 / 600) ** 0.5
    assert drawn[30:].tolist() == [600.0] * 3


@pytest.mark.parametrize(
    ("targets", "negatives"),
    [
        ([0, 0, 1, 1], 0),
        ([0, 0, 1, 1], 7),
        ([0, 0, 0, 0], 2),
        ([1, 1, 1, 1], 2),
        ([0, 1, 2, 2], 0),
    ],
)
def test_all_rows_are_kept_without_a_limit_or_with_few_negatives(targets, negatives):
    rows, rates = subsample(torch.tensor(targets), negatives, seed=0)
    assert rows.tolist() == list(range(4))
    assert rates.tolist() == [1.0] * max(2, len(set(targets)))


def test_more_classes_and_impossible_numbers_are_refused():
    with pytest.raises(InputError, match="must be 0 where there are not two classes"):
        subsample(torch.tensor([0, 1, 2]), 5, seed=0)
    for number in (-1.0, float("inf"), float("nan")):
        with pytest.raises(InputError, match="negatives must be at least 0"):
            sampling_rates([90, 10], number)


def test_a_space_may_say_how_many_negatives_are_trained_on():
    assert load_space("default").protocol.negatives == 0
    space = load_space("default", overrides={"protocol": {"negatives": 20}})
    assert space.protocol.negatives == 20
    assert space.to_dict()["protocol.negatives"] == 20
    for wrong in (0.5, -3, True, "all"):
        with pytest.raises(SpaceError, match=r"protocol\.negatives: must be 0, or a number"):
            load_space("default", overrides={"protocol.negatives": wrong})
