"""Calibration of rare positives: bins of the log-odds, and the examples at the top."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import binom

from autoloss.core.errors import InputError
from autoloss.metrics import tails

N = 20_000


def rare(*, seed: int = 0, shift: float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
    """Log probabilities of rare positives, right if `shift` is 0, and their classes."""
    random = np.random.default_rng(seed)
    odds = random.normal(-5.0, 1.5, N)
    positive = random.random(N) < 1.0 / (1.0 + np.exp(-odds))
    claimed = torch.from_numpy(odds + shift)
    log_probs = torch.stack([-claimed, claimed], 1).sigmoid().log()
    return log_probs, torch.from_numpy(positive).long()


def test_copies_of_a_row_make_no_band_narrower():
    log_probs, targets = rare()
    once = tails(log_probs, targets).bins
    own = torch.arange(N).repeat(4)
    often = tails(log_probs.repeat(4, 1), targets.repeat(4), clusters=own).bins
    width = [np.subtract(one.high, one.low) for one in (often, once)]
    # Bins with a handful of rows have a band of steps.
    many = np.array(once.count) > 200
    np.testing.assert_allclose(width[0][many], width[1][many], rtol=0.15)


def test_bins_are_those_of_a_histogram_of_the_log_odds():
    log_probs, targets = rare()
    found = tails(log_probs, targets, name="challenger", bins=12)
    odds, probs = (log_probs[:, 1] - log_probs[:, 0]).numpy(), log_probs[:, 1].exp().numpy()
    count, edges = np.histogram(odds, bins=12)
    used = count > 0
    rows, _ = np.histogram(odds, bins=edges, weights=targets.numpy())
    mass, _ = np.histogram(odds, bins=edges, weights=probs)
    assert found.prevalence == pytest.approx(targets.double().mean().item())
    assert found.bins.name == "challenger"
    assert found.bins.count == tuple(count[used].tolist())
    assert found.bins.accuracy == pytest.approx((rows[used] / count[used]).tolist())
    assert found.bins.confidence == pytest.approx((mass[used] / count[used]).tolist())
    high = binom.ppf(0.975, count[used], mass[used] / count[used]) / count[used]
    assert found.bins.high == pytest.approx(high.tolist())
    # Small probabilities are told apart: a decade each, which bins of equal width would not do.
    assert sum(p < 0.01 for p in found.bins.confidence) >= 4


def test_the_band_holds_calibrated_probabilities_and_no_others():
    def inside(shift: float) -> float:
        held = []
        for seed in range(20):
            bins = tails(*rare(seed=seed, shift=shift)).bins
            held += [
                low <= share <= high
                for share, low, high in zip(bins.accuracy, bins.low, bins.high, strict=True)
            ]
        return float(np.mean(held))

    assert inside(0.0) > 0.93
    assert inside(1.0) < 0.6


def test_the_top_is_that_of_a_sorted_list():
    log_probs, targets = rare()
    found = tails(log_probs, targets)
    order = np.argsort(-log_probs[:, 1].numpy())
    assert [one.share for one in found.top] == [0.001, 0.01, 0.05, 0.1]
    for one in found.top:
        top = order[: int(one.share * N)]
        assert one.count == len(top)
        assert one.observed == int(targets[top].sum())
        assert one.expected == pytest.approx(log_probs[top, 1].exp().sum().item())
        assert one.recall == pytest.approx(targets[top].sum().item() / targets.sum().item())


def test_equal_probabilities_are_drawn_from_at_random():
    targets = (torch.arange(10_000) < 200).long()
    found = tails(torch.tensor([[0.98, 0.02]]).log().expand(10_000, 2), targets)
    # The first rows are the positives: in order, the top 1 % would hold nothing else.
    assert found.top[1].observed < 10
    assert found.bins.count == (10_000,)
    assert found.bins.accuracy == (0.02,)


def test_few_rows_and_certain_ones():
    log_probs = torch.tensor([[0.0, -torch.inf], [-torch.inf, 0.0], [0.5, 0.5]]).expand(3, 2)
    log_probs = torch.cat([log_probs.double(), torch.full((20, 2), 0.5).log()])
    found = tails(log_probs, torch.tensor([0, 1, *[0] * 21]))
    assert [one.share for one in found.top] == [0.05, 0.1]
    assert sum(found.bins.count) == 23
    assert np.isfinite(found.bins.confidence).all()


def test_three_classes_are_refused():
    with pytest.raises(InputError, match=r"shape \(N, 2\)"):
        tails(torch.zeros(5, 3), torch.zeros(5, dtype=torch.int64))
