from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from autoloss.verdict.resampling import (
    leave_out_values,
    mean_error,
    resampled_sums,
    resamples_of,
    stratified_mean_error,
)
from autoloss.verdict.units import units_of


def groups(n_groups=40, size=5, classes=3, seed=0):
    """Return values that are the same within a group, classes and groups, in mixed order."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(n_groups * size)
    clusters = np.repeat(np.arange(n_groups), size)[order]
    return rng.normal(size=n_groups)[clusters], rng.integers(0, classes, len(order)), clusters


def test_rows_of_their_own_are_no_clusters():
    _, targets, clusters = groups()
    assert not units_of(targets).is_clustered
    alone = units_of(targets, np.random.default_rng(1).permutation(len(targets)))
    assert not alone.is_clustered
    np.testing.assert_array_equal(alone.strata, targets)
    assert units_of(targets, clusters).count == 40


def test_units_are_stratified_only_if_each_has_one_class():
    _, _, clusters = groups()
    assert units_of(clusters % 3, clusters).freedom == 37
    mixed = clusters % 3
    mixed[0] += 1
    assert units_of(mixed, clusters).freedom == 39


def test_clusters_of_another_length_are_refused():
    with pytest.raises(ValueError, match="clusters must have the shape"):
        units_of(np.zeros(3, int), np.zeros(2, int))


def test_the_widening_is_students_and_infinite_without_freedom():
    units = units_of(np.zeros(10, int))
    expected = stats.t.ppf(0.975, 9) / stats.norm.ppf(0.975) * np.sqrt(10 / 9)
    assert units.widening == pytest.approx(expected)
    assert units_of(np.zeros(1, int)).widening == np.inf
    assert units_of(np.arange(5)).widening == np.inf
    assert units_of(np.zeros(8, int), np.zeros(8, int)).widening == np.inf


@pytest.mark.parametrize("count", range(2, 9))
def test_few_clusters_show_nothing(count):
    # The probability that all differences have one sign by chance.
    can_show = 2 * 0.5**count < 0.05
    clusters = np.repeat(np.arange(count), 20)
    assert np.isfinite(units_of(np.arange(20 * count) % 2, clusters).widening) == can_show


@pytest.mark.parametrize("seed", range(3))
def test_error_of_a_mean_of_equal_rows_is_that_of_the_clusters(seed):
    values, _, clusters = groups(seed=seed)
    of_groups = values[np.unique(clusters, return_index=True)[1]]
    assert mean_error(values, clusters) == pytest.approx(stats.sem(of_groups))
    assert mean_error(values, np.arange(len(values))) == pytest.approx(stats.sem(values))


def test_stratified_error_of_clusters_is_that_of_their_bootstrap():
    values, targets, clusters = groups(n_groups=200)
    member = np.eye(3)[targets]
    sums = resampled_sums(
        np.concatenate([member * values[:, None], member], axis=1),
        targets,
        resamples=3000,
        seed=0,
        clusters=clusters,
    )
    drawn = (sums[:, :3] / sums[:, 3:]).mean(axis=1)
    found = stratified_mean_error(values, targets, clusters=clusters)
    assert found == pytest.approx(drawn.std(), rel=0.07)
    assert found > 1.2 * stratified_mean_error(values, targets)


def test_sums_equal_brute_force_over_whole_clusters():
    rng = np.random.default_rng(2)
    _, targets, clusters = groups(n_groups=12)
    values = rng.normal(size=(len(targets), 4))
    how = {"resamples": 30, "seed": 7, "clusters": clusters}
    drawn = list(resamples_of(targets, **how))
    members = [np.flatnonzero(clusters == c) for c in range(12)]
    for rows in drawn:
        times = np.bincount(rows, minlength=len(targets))
        assert all(len(set(times[member])) == 1 for member in members)
        assert sum(times[member[0]] for member in members) == 12
    expected = [values[rows].sum(axis=0) for rows in drawn]
    np.testing.assert_allclose(resampled_sums(values, targets, **how), expected)


def test_bootstrap_of_equal_rows_spreads_as_the_clusters_do():
    values, targets, clusters = groups(n_groups=100)
    sums = resampled_sums(values[:, None], targets, resamples=4000, seed=0, clusters=clusters)
    of_groups = values[np.unique(clusters, return_index=True)[1]]
    assert sums.std() / len(values) == pytest.approx(of_groups.std() / 10.0, rel=0.05)


def test_clusters_within_a_class_keep_the_number_of_clusters_of_each_class():
    _, _, clusters = groups()
    targets = clusters % 3
    for rows in resamples_of(targets, resamples=20, seed=0, clusters=clusters):
        np.testing.assert_array_equal(np.bincount(targets[rows]), np.bincount(targets))


def test_clusters_are_left_out_whole_and_once():
    _, targets, clusters = groups(n_groups=30)
    left = []

    def note(rows, _):
        left.append(np.setdiff1d(np.arange(len(targets)), rows[:, 0]))
        return 0.0

    leave_out_values(note, np.arange(len(targets))[:, None], targets, clusters=clusters)
    assert len(left) == 15
    np.testing.assert_array_equal(np.sort(np.concatenate(left)), np.arange(len(targets)))
    for rows in left:
        assert np.isin(clusters, clusters[rows]).sum() == len(rows)


def test_the_only_cluster_of_a_class_is_never_left_out():
    targets = np.array([0] * 20 + [1, 1])
    clusters = np.array([*range(20), 20, 20])
    kept = leave_out_values(
        lambda _, y: float((y == 1).sum()), targets[:, None], targets, clusters=clusters
    )
    assert set(kept.tolist()) == {2.0}
