from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse, stats
from sklearn.metrics import roc_auc_score

from autoloss.verdict import resampling
from autoloss.verdict.resampling import (
    jackknife_error,
    leave_out_values,
    mean_error,
    resampled_rows,
    resampled_sums,
    stratified_mean_error,
)


def sample(n=600, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=n), rng.integers(0, classes, n)


def test_mean_error_is_scipys():
    values, _ = sample()
    assert mean_error(values) == pytest.approx(stats.sem(values))


def test_one_row_has_no_error():
    assert mean_error(np.ones(1)) == 0.0
    assert jackknife_error(np.ones(1)) == 0.0


def test_stratified_error_of_one_class_is_the_plain_one():
    values, targets = sample()
    assert stratified_mean_error(values, np.zeros_like(targets)) == pytest.approx(
        mean_error(values)
    )


def test_stratified_error_is_that_of_the_bootstrap():
    values, targets = sample()
    counts = np.bincount(targets)
    weighted = values / (3 * counts[targets])
    sums = resampled_sums(weighted[:, None], targets, resamples=4000, seed=1)
    assert stratified_mean_error(values, targets) == pytest.approx(sums.std(), rel=0.05)


def test_jackknife_of_a_mean_is_its_standard_error():
    values, targets = sample(n=400)
    left = leave_out_values(lambda p, _: p[:, 0].mean(), values[:, None], targets, groups=200)
    assert jackknife_error(left) == pytest.approx(mean_error(values), rel=0.15)


def test_jackknife_of_a_paired_auroc_is_that_of_the_bootstrap():
    rng = np.random.default_rng(3)
    targets = (rng.random(1500) < 0.3).astype(int)
    signal = targets + rng.normal(size=1500)
    both = np.stack([signal, signal + 0.7 * rng.normal(size=1500)], axis=1)

    def difference(scores, labels):
        return roc_auc_score(labels, scores[:, 0]) - roc_auc_score(labels, scores[:, 1])

    left = leave_out_values(difference, both, targets, groups=50)
    drawn = [
        difference(both[rows], targets[rows])
        for some in resampled_rows(targets, resamples=200, seed=0)
        for rows in some
    ]
    assert jackknife_error(left) == pytest.approx(np.std(drawn), rel=0.3)


def test_the_only_row_of_a_class_is_never_left_out():
    targets = np.array([0] * 20 + [1])
    kept = leave_out_values(lambda _, y: float((y == 1).sum()), targets[:, None], targets)
    assert kept.tolist() == [1.0] * 10


def test_every_other_row_is_left_out_once():
    _, targets = sample(n=97)
    kept = leave_out_values(lambda p, _: float(len(p)), targets[:, None], targets)
    assert len(kept) == 20
    assert (97 - kept).sum() == 97


def test_every_resample_keeps_the_rows_of_each_class():
    _, targets = sample(n=97)
    rows = np.concatenate(list(resampled_rows(targets, resamples=50, seed=0)))
    assert rows.shape == (50, 97)
    for drawn in rows:
        np.testing.assert_array_equal(np.bincount(targets[drawn]), np.bincount(targets))


def test_rows_do_not_depend_on_how_many_are_drawn_at_once(monkeypatch):
    _, targets = sample(n=97)
    at_once = np.concatenate(list(resampled_rows(targets, resamples=20, seed=5)))
    monkeypatch.setattr(resampling, "_CELLS_AT_ONCE", 300)
    parts = list(resampled_rows(targets, resamples=20, seed=5))
    assert len(parts) == 7
    np.testing.assert_array_equal(np.concatenate(parts), at_once)


@pytest.mark.parametrize("shape", [np.asarray, sparse.csr_array])
def test_resampled_sums_are_the_sums_over_the_resampled_rows(shape):
    rng = np.random.default_rng(0)
    values, (_, targets) = rng.normal(size=(97, 4)), sample(n=97)
    rows = np.concatenate(list(resampled_rows(targets, resamples=20, seed=5)))
    sums = resampled_sums(shape(values), targets, resamples=20, seed=5)
    np.testing.assert_allclose(sums, values[rows].sum(axis=1))


def test_bootstrap_of_a_mean_has_the_closed_form_error():
    values, targets = sample(n=2000, classes=1)
    sums = resampled_sums(values[:, None], targets, resamples=2000, seed=0)[:, 0]
    assert sums.std() / 2000 == pytest.approx(values.std() / np.sqrt(2000), rel=0.05)
