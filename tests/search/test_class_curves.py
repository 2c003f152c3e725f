"""Curves and counts by class, against scikit-learn and slow loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import (
    average_precision_score,
    precision_recall_curve,
    precision_score,
    recall_score,
    roc_auc_score,
    roc_curve,
)

from autoloss.metrics import expected_cost, positive_reliability
from autoloss.search.class_curves import (
    MOST_POINTS,
    class_scores,
    cost_curve,
    ranking,
    ranking_curves,
    thinned_along,
)


def made(n: int, *, decimals: int = 6, seed: int = 0) -> tuple[torch.Tensor, np.ndarray]:
    """Return informative log probabilities of two classes, and the classes."""
    chance = np.random.default_rng(seed)
    targets = (chance.random(n) < 0.3).astype(np.int64)
    odds = np.round(chance.normal(size=n) + 1.2 * targets - 1.0, decimals)
    scores = torch.tensor(np.stack([np.zeros(n), odds], axis=1))
    return scores.log_softmax(-1), targets


def points(x: tuple[float, ...], y: tuple[float, ...]) -> set[tuple[float, float]]:
    return {(round(a, 9), round(b, 9)) for a, b in zip(x, y, strict=True)}


@pytest.mark.parametrize("n", [12, 90, 5000])
@pytest.mark.parametrize("decimals", [0, 1, 6])
def test_the_curves_are_points_of_scikit_learns_curves(n: int, decimals: int) -> None:
    log_probs, targets = made(n, decimals=decimals)
    found = ranking_curves(log_probs, targets == 1)
    odds = (log_probs[:, 1] - log_probs[:, 0]).numpy()
    false, rate, _ = roc_curve(targets, odds, drop_intermediate=False)
    precision, recall, _ = precision_recall_curve(targets, odds)
    assert points(found.false_positive_rate, found.true_positive_rate) <= points(false, rate)
    assert points(found.recall, found.precision) <= points(recall, precision)
    assert found.auroc == pytest.approx(roc_auc_score(targets, odds))
    assert found.average_precision == pytest.approx(average_precision_score(targets, odds))
    assert (found.false_positive_rate[0], found.true_positive_rate[0]) == (0.0, 0.0)
    assert (found.false_positive_rate[-1], found.true_positive_rate[-1]) == (1.0, 1.0)
    assert (found.recall[0], found.precision[0]) == (0.0, 1.0)
    assert found.recall[-1] == 1.0


def test_a_thinned_curve_is_bounded_and_keeps_its_area() -> None:
    log_probs, targets = made(20_000)
    found = ranking_curves(log_probs, targets == 1)
    assert len(found.false_positive_rate) <= MOST_POINTS
    assert len(found.recall) <= MOST_POINTS
    area = np.trapezoid(found.true_positive_rate, found.false_positive_rate)
    assert area == pytest.approx(found.auroc, abs=1e-3)
    assert np.trapezoid(found.precision, found.recall) == pytest.approx(
        found.average_precision, abs=0.01
    )


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=300),
    st.integers(2, 40),
)
def test_thinning_keeps_the_ends_and_the_order(steps: list[float], most: int) -> None:
    x, y = np.cumsum(steps), np.cumsum(steps[::-1])
    kept = thinned_along(x, y, most=most)
    assert len(kept) <= max(most, 1)
    assert kept[-1] == len(x) - 1
    assert kept[0] == 0
    assert (np.diff(kept) > 0).all()


def test_a_class_without_rows_has_no_curves() -> None:
    log_probs, targets = made(50)
    assert ranking(log_probs, log_probs, np.zeros_like(targets)) is None
    both = ranking(log_probs, -log_probs, targets)
    assert both is not None
    assert both.positives == targets.sum()
    assert both.positives + both.negatives == 50
    assert both.challenger.auroc == pytest.approx(1 - both.baseline.auroc)


def test_counts_by_class_give_recall_and_precision() -> None:
    chance = np.random.default_rng(0)
    targets, ours, theirs = (chance.integers(0, 5, 400) for _ in range(3))
    ours[ours == 4] = 3
    found = class_scores(ours, theirs, targets, 5)
    for decided, right, total in (
        (ours, found.challenger_right, found.challenger_decided),
        (theirs, found.baseline_right, found.baseline_decided),
    ):
        options = {"average": None, "zero_division": 0}
        recall = np.array(right) / np.array(found.rows)
        precision = np.array(right) / np.maximum(total, 1)
        np.testing.assert_allclose(recall, recall_score(targets, decided, **options))
        np.testing.assert_allclose(precision, precision_score(targets, decided, **options))


def test_the_positive_class_is_judged_by_its_own_probability() -> None:
    log_probs, targets = made(3000)
    found = positive_reliability(log_probs, torch.tensor(targets), name="x", bins=5)
    probs = log_probs[:, 1].exp().numpy()
    ends = np.quantile(probs, [0.2, 0.4, 0.6, 0.8])
    place = np.digitize(probs, ends)
    for one in range(5):
        assert found.confidence[one] == pytest.approx(probs[place == one].mean(), abs=2e-3)
        assert found.accuracy[one] == pytest.approx(targets[place == one].mean(), abs=5e-3)
    assert sum(found.count) == 3000


@pytest.mark.parametrize("has_row_costs", [False, True])
@pytest.mark.parametrize("costs", [((0.0, 1.0), (12.5, 0.0)), ((-1.0, 2.0), (4.0, 0.5))])
def test_the_cost_curve_is_the_cost_of_the_cheapest_decisions(costs, has_row_costs) -> None:
    log_probs, targets = made(500)
    other, _ = made(500, seed=3)
    of_row = np.random.default_rng(5).random(500) * 2 if has_row_costs else np.ones(500)
    paid = {"row_costs": torch.tensor(of_row)}
    found = cost_curve(
        log_probs, other, targets, costs, is_yes_or_no=True,
        row_costs=of_row if has_row_costs else None,
    )  # fmt: skip
    assert found is not None
    price = np.array(costs)
    right = np.diag(price)
    total = price[0, 1] + price[1, 0] - right.sum()
    labels = torch.tensor(targets)
    for place, share in enumerate(found.at):
        varied = [
            [right[0], right[0] + total * share],
            [right[1] + total * (1 - share), right[1]],
        ]
        for curve, own in ((found.challenger, log_probs), (found.baseline, other)):
            wanted = float(expected_cost(own[None], labels, varied, **paid)[0])
            assert curve[place] == pytest.approx(wanted, abs=total * 3e-3)
        constant = [(np.array(varied)[targets, code] * of_row).mean() for code in (0, 1)]
        assert found.single[place] == pytest.approx(min(constant))
    given_cost = float(expected_cost(log_probs[None], labels, costs, **paid)[0])
    assert np.interp(found.given, found.at, found.challenger) == pytest.approx(
        given_cost, abs=0.02 * total
    )


def test_reviewed_rows_cost_nothing_more() -> None:
    generator = torch.Generator().manual_seed(0)
    log_probs = torch.randn(300, 4, generator=generator).double().log_softmax(-1)
    targets = np.random.default_rng(0).integers(0, 4, 300)
    costs = tuple(tuple(float(abs(a - b)) for b in range(4)) for a in range(4))
    found = cost_curve(log_probs, log_probs, targets, costs, is_yes_or_no=False)
    assert found is not None
    assert found.over == "reviewed"
    everything = float(expected_cost(log_probs[None], torch.tensor(targets), costs)[0])
    assert found.challenger[0] == pytest.approx(everything)
    assert found.challenger[-1] == pytest.approx(0.0)
    assert list(found.challenger) == sorted(found.challenger, reverse=True)
    # The dearest half is taken first.
    assert found.challenger[50] < 0.5 * everything


def test_mistakes_that_cost_nothing_have_no_curve() -> None:
    log_probs, targets = made(50)
    for costs in (((0.0, 0.0), (0.0, 0.0)), ((2.0, 1.0), (1.0, 0.0))):
        assert cost_curve(log_probs, log_probs, targets, costs, is_yes_or_no=True) is None
