"""The verdict for rows that share clusters, and for very few rows."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from autoloss.verdict.comparisons import compare, compare_metric
from autoloss.verdict.confirm import detectable_difference
from tests.verdict.test_confirm import Named, draw, settle


def repeated(n=60, times=6, seed=0):
    """Return repeated rows, and their clusters."""
    one, other, targets = draw(n=n, seed=seed)
    rows = np.random.default_rng(seed).permutation(np.repeat(np.arange(n), times))
    return one[rows], other[rows], targets[rows], rows


def balanced(probs, classes):
    wrong = probs.argmax(axis=1) != classes
    return float(np.mean([wrong[classes == c].mean() for c in np.unique(classes)]))


def test_rows_that_stand_six_times_tell_no_more_than_once():
    one, other, targets, clusters = repeated()
    first = np.unique(clusters, return_index=True)[1]
    alone = compare(one[first], other[first], targets[first])
    together = compare(one, other, targets, clusters=clusters)
    fooled = compare(one, other, targets)
    for name in ("error", "log_loss", "brier", "balanced_error"):
        widths = [part[name].comparison for part in (alone, together, fooled)]
        width, clustered, naive = (c.high - c.low for c in widths)
        assert clustered == pytest.approx(width, rel=0.12), name
        assert naive < 0.6 * width, name


def test_the_error_of_clusters_is_not_tested_by_mcnemar():
    one, other, targets, clusters = repeated()
    alone, together = compare(one, other, targets), compare(one, other, targets, clusters=clusters)
    wrong = [part.argmax(axis=1) != targets for part in (one, other)]
    differ = wrong[0] != wrong[1]
    exact = stats.binomtest(int((wrong[0] & differ).sum()), int(differ.sum())).pvalue
    assert alone["error"].p_value == exact
    assert together["error"].p_value > exact


def test_clusters_of_one_row_are_rows():
    one, other, targets = draw(n=200)
    options = {"resamples": 100, "metric": Named("balanced", balanced, True)}
    ids = np.random.default_rng(0).permutation(200)
    assert settle(one, other, targets, clusters=ids, **options) == settle(
        one, other, targets, **options
    )


def test_any_metric_and_a_known_one_agree_on_clusters():
    one, other, targets, clusters = repeated(n=100)
    how = {"resamples": 300, "seed": 4, "clusters": clusters}
    known = compare(one, other, targets, **how)["balanced_error"]
    own = compare_metric(Named("own", balanced, True), one, other, targets, **how)
    assert own.p_value == known.p_value
    ends = (known.comparison.low, known.comparison.high)
    assert (own.comparison.low, own.comparison.high) == pytest.approx(ends)


def test_equal_models_on_clusters_are_rarely_told_apart():
    found = [0, 0]
    for seed in range(100):
        rng = np.random.default_rng(seed)
        one, other, targets = draw(n=160, noise=(0.0, 0.0), seed=seed)
        clusters = np.repeat(np.arange(20), 8)
        both = [part + rng.normal(size=(20, 3))[clusters] for part in (one, other)]
        both = [part - np.logaddexp.reduce(part, axis=1, keepdims=True) for part in both]
        for place, ids in enumerate((clusters, None)):
            verdict = settle(*both, targets, clusters=ids, resamples=200)
            found[place] += verdict.decision != "no_evidence"
    # 5 of 100 are expected; more than 11 have a probability below 0.01.
    assert found[0] <= 11
    assert found[1] > found[0]


def test_the_text_says_that_groups_were_resampled_whole():
    one, other, targets, clusters = repeated()
    verdict = settle(one, other, targets, clusters=clusters, resamples=50)
    assert "on 360 test rows in 60 groups that were resampled whole (95% interval" in verdict.text
    alone = settle(one, other, targets, resamples=50)
    assert "on 360 test rows (95% interval" in alone.text


def test_detectable_difference_is_that_of_the_clusters():
    one, other, targets, clusters = repeated()
    first = np.unique(clusters, return_index=True)[1]
    differ = np.mean((one.argmax(1) == targets)[first] != (other.argmax(1) == targets)[first])
    verdict = settle(one, other, targets, clusters=clusters, resamples=50)
    expected = detectable_difference(60, disagreement=differ)
    assert verdict.detectable == pytest.approx(expected)


@pytest.mark.parametrize("clusters", [None, np.zeros(1, int)])
def test_one_row_is_no_evidence_of_anything(clusters):
    one = np.log([[0.9, 0.1]])
    other = np.log([[0.1, 0.9]])
    verdict = settle(one, other, np.array([0]), clusters=clusters, resamples=50)
    assert verdict.decision == "no_evidence"
    assert all(c.covers_zero for c in verdict.comparisons)


def test_one_row_of_each_class_is_no_evidence_of_anything():
    one = np.log([[0.9, 0.1], [0.1, 0.9]])
    verdict = settle(one, one[:, ::-1], np.array([0, 1]), resamples=50)
    assert verdict.decision == "no_evidence"


def test_one_cluster_is_no_evidence_of_anything():
    one, other, targets = draw(n=200, noise=(0.1, 3.0))
    assert settle(one, other, targets).decision == "better"
    same = settle(one, other, targets, clusters=np.full(200, 7))
    assert same.decision == "no_evidence"


def test_a_class_that_the_test_rows_lack_changes_nothing():
    one, other, targets = draw(n=300, classes=3)
    kept = targets < 2
    verdict = settle(one[kept], other[kept], targets[kept], class_counts=np.array([9, 9, 9]))
    assert all(np.isfinite([c.low, c.high]).all() for c in verdict.comparisons)
    found = {c.metric: c for c in verdict.comparisons}["balanced_error"]
    assert found.challenger == pytest.approx(balanced(np.exp(one[kept]), targets[kept]))
