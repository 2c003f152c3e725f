from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from autoloss.core.errors import InputError
from autoloss.verdict.corrected import detectable_nested, resampled_t_test
from autoloss.verdict.nested import OuterResult, nested_verdict, pooled_rows
from tests.verdict.test_confirm import Named, normal


def folds_of(rng, n, folds, repeats):
    for _ in range(repeats):
        order = rng.permutation(n)
        yield from (order[fold::folds] for fold in range(folds))


def nested(n=120, folds=5, repeats=2, noise=(0.5, 0.5), classes=2, seed=0):
    """Return outer folds of two losses, with noise of the rows and noise of each training run."""
    rng = np.random.default_rng(seed)
    truth = 1.5 * rng.normal(size=(n, classes))
    probs = np.exp(normal(truth))
    targets = (rng.random((n, 1)) > probs.cumsum(axis=1)).sum(axis=1).clip(max=classes - 1)
    shared = [truth + size * rng.normal(size=(n, classes)) for size in noise]
    outer = []
    for rows in folds_of(rng, n, folds, repeats):
        own = [normal(part[rows] + 0.3 * rng.normal(size=(len(rows), classes))) for part in shared]
        outer.append(OuterResult(*own, targets[rows], rows, rows, n - len(rows), 5, 1, "focal"))
    return outer


def settle(outer, **options):
    known = {"challenger": 5, "baseline": 1, "label": "focal gamma=2", "repeats": 2}
    return nested_verdict(outer, **(known | options))


def test_the_test_is_the_formula():
    differences = np.random.default_rng(0).normal(0.3, 1.0, 10)
    mean, low, high, p_value = resampled_t_test(differences, test_share=0.25)
    error = np.sqrt((1 / 10 + 0.25) * differences.var(ddof=1))
    assert mean == pytest.approx(differences.mean())
    assert (low, high) == pytest.approx(stats.t.interval(0.95, 9, mean, error))
    assert p_value == pytest.approx(2 * stats.t.sf(abs(mean) / error, 9))


def test_without_training_rows_in_common_it_is_students_test():
    differences = np.random.default_rng(1).normal(0.3, 1.0, 10)
    p_value = resampled_t_test(differences, test_share=0.0)[3]
    assert p_value == pytest.approx(stats.ttest_1samp(differences, 0.0).pvalue)


@pytest.mark.parametrize("differences", [[0.25] * 10, [0.25], [0.0] * 4])
def test_without_a_spread_nothing_is_concluded(differences):
    mean, low, high, p_value = resampled_t_test(np.array(differences), test_share=0.25)
    assert p_value == 1.0
    assert low <= 0.0 <= high
    assert low <= mean <= high


def test_equal_models_are_rarely_told_apart_by_the_test():
    rejected = plain = 0
    for seed in range(1000):
        rng = np.random.default_rng(seed)
        rows = rng.normal(size=200)
        # A training run moves all of its fold, a row is as hard in every repeat.
        folds = [rows[some].mean() + 0.05 * rng.normal() for some in folds_of(rng, 200, 5, 2)]
        rejected += resampled_t_test(np.array(folds), test_share=0.25)[3] < 0.05
        plain += stats.ttest_1samp(folds, 0.0).pvalue < 0.05
    assert rejected <= 80
    assert plain > 80


def test_equal_models_are_rarely_told_apart_by_the_verdict():
    decisions = [settle(nested(seed=seed)).decision for seed in range(40)]
    assert decisions.count("no_evidence") >= 37


def test_a_planted_gain_is_found_and_its_mirror_image_is_worse():
    outer = nested(n=400, noise=(0.0, 2.5))
    better = settle(outer)
    mirrored = [
        OuterResult(
            one.baseline_log_probs,
            one.challenger_log_probs,
            one.targets,
            one.rows,
            one.keys,
            one.n_train,
            5,
            1,
        )
        for one in outer
    ]
    assert (better.decision, settle(mirrored).decision) == ("better", "worse")
    assert "on 400 rows by 2 x 5-fold nested cross-validation of the whole search" in better.text
    assert "it beats tuned cross-entropy, significantly in error" in better.text
    assert better.n_test == 400


def test_figures_are_the_means_of_the_folds():
    outer = nested()
    error = settle(outer).comparisons[0]
    wrong = [
        (
            (one.challenger_log_probs.argmax(1) != one.targets).mean(),
            (one.baseline_log_probs.argmax(1) != one.targets).mean(),
        )
        for one in outer
    ]
    assert (error.challenger, error.baseline) == pytest.approx(tuple(np.mean(wrong, axis=0)))
    differences = np.subtract(*np.transpose(wrong))
    expected = resampled_t_test(differences, test_share=24 / 96)
    assert (error.low, error.high) == pytest.approx(expected[1:3])


def test_the_users_metric_comes_first_and_skips_folds_without_it():
    def of_class_one(probs, classes):
        return float(probs[classes == 1, 1].mean()) if (classes == 1).any() else float("nan")

    outer = nested()
    metric = Named("recall", of_class_one)
    verdict = settle(outer, metric=metric)
    assert verdict.comparisons[0].metric == "recall"
    assert not verdict.comparisons[0].lower_is_better
    empty = OuterResult(
        outer[0].challenger_log_probs,
        outer[0].baseline_log_probs,
        0 * outer[0].targets,
        outer[0].rows,
        outer[0].keys,
        outer[0].n_train,
        5,
        1,
    )
    kept = settle([empty, *outer[1:]], metric=metric).comparisons[0]
    values = [of_class_one(np.exp(one.challenger_log_probs), one.targets) for one in outer[1:]]
    assert kept.challenger == pytest.approx(np.mean(values))
    with pytest.raises(InputError, match=r"finite on the rows of two outer folds.*recall"):
        settle([empty, empty, outer[1]], metric=metric)


def test_the_text_speaks_of_the_search():
    text = settle(nested()).text
    assert text.startswith("Choosing the loss by search gives ")
    assert text.endswith("On all rows the search chooses focal.")


def test_no_outer_folds_are_refused():
    with pytest.raises(ValueError, match="outer"):
        settle([])


def test_pooled_rows_have_the_mean_probability_of_their_repeats():
    outer = nested()
    together = pooled_rows(outer)
    mean = together.mean([one.challenger_log_probs for one in outer])
    np.testing.assert_array_equal(together.rows, np.arange(120))
    for row in (0, 17, 119):
        found = [
            np.exp(one.challenger_log_probs[one.rows == row][0])
            for one in outer
            if row in one.rows
        ]
        assert len(found) == 2
        np.testing.assert_allclose(np.exp(mean[row]), np.mean(found, axis=0))
        place = outer[0].rows == row
        if place.any():
            assert together.targets[row] == outer[0].targets[place][0]
    np.testing.assert_allclose(np.exp(mean).sum(axis=1), 1.0)


def test_a_probability_of_zero_in_one_repeat_stays_finite():
    sure = np.array([[0.0, -np.inf]])
    half = np.log([[0.5, 0.5]])
    rows, targets = np.array([3]), np.array([1])
    outer = [OuterResult(part, part, targets, rows, rows, 10, 5, 1) for part in (sure, half)]
    np.testing.assert_allclose(np.exp(pooled_rows(outer).mean([sure, half])), [[0.75, 0.25]])


def test_detectable_difference_is_the_half_width_of_the_interval_it_expects():
    n, folds, repeats = 500, 5, 2
    spread = np.sqrt(0.04 * folds / n)
    differences = np.random.default_rng(0).normal(size=10)
    differences = spread * (differences - differences.mean()) / differences.std(ddof=1)
    _, low, high, _ = resampled_t_test(differences, test_share=1 / 4)
    # The interval is of one test; among three the level of one alone is a third.
    wider = stats.t.isf(0.05 / 6, 9) / stats.t.isf(0.05 / 2, 9)
    assert detectable_nested(n, folds, repeats) == pytest.approx(wider * (high - low) / 2)
    assert detectable_nested(50, 5, 2) > detectable_nested(500, 5, 2)
    assert detectable_nested(1, 5, 2) == 1.0
    assert detectable_nested(100, 5, 2, disagreement=0.0) == 0.01
    with pytest.raises(ValueError, match="folds=1"):
        detectable_nested(100, 1, 2)
