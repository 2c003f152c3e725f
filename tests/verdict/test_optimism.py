from __future__ import annotations

import math
import time

import numpy as np
import pytest
from scipy import integrate, stats

from autoloss.records import PairOptimism, TrialRecord
from autoloss.verdict.optimism import (
    pair_optimism,
    selection_optimism,
    study_optimism,
    study_pair_optimism,
)
from autoloss.verdict.select import ExampleLosses


def expected_minimum(count: int) -> float:
    """Return the expected minimum of `count` standard normal values."""

    def density(x: float) -> float:
        return x * count * stats.norm.pdf(x) * stats.norm.sf(x) ** (count - 1)

    return float(integrate.quad(density, -10.0, 10.0)[0])


def test_the_best_of_equal_candidates_looks_better_by_the_expected_minimum() -> None:
    n_trials, n_rows, studies = 50, 400, 60
    rng = np.random.default_rng(0)
    found = []
    for seed in range(studies):
        log_loss = 0.5 + 0.3 * rng.normal(size=(n_trials, n_rows))
        wrong = rng.random((n_trials, n_rows)) < 0.2
        found.append(selection_optimism(log_loss, wrong, resamples=100, seed=seed))
    mean = {
        name: np.mean([getattr(one, name) for one in found])
        for name in ("log_loss", "log_loss_honest", "metric_honest")
    }
    # The noise of a mean over all rows of all studies, three times over.
    noise = 3 * 0.3 / math.sqrt(n_rows * studies)
    minimum = 0.5 + 0.3 / math.sqrt(n_rows) * expected_minimum(n_trials)
    assert mean["log_loss"] == pytest.approx(minimum, abs=noise)
    assert mean["log_loss_honest"] == pytest.approx(0.5, abs=noise)
    assert minimum < 0.5 - 4 * noise
    assert mean["metric_honest"] == pytest.approx(0.2, abs=3 * 0.4 / math.sqrt(n_rows * studies))


def test_one_candidate_has_no_optimism() -> None:
    rng = np.random.default_rng(1)
    log_loss, wrong = rng.gamma(1.0, 0.5, size=(1, 500)), rng.random((1, 500)) < 0.3
    found = selection_optimism(log_loss, wrong)
    assert found.trials == 1
    assert found.log_loss == pytest.approx(log_loss.mean())
    assert found.metric == wrong.mean()
    assert found.log_loss_honest == pytest.approx(found.log_loss, abs=0.003)
    assert found.metric_honest == pytest.approx(found.metric, abs=0.003)


def test_a_candidate_that_is_better_everywhere_is_selected_everywhere() -> None:
    rng = np.random.default_rng(2)
    log_loss = rng.gamma(1.0, 0.5, size=(1, 300)) + np.arange(5)[:, None]
    wrong = rng.random((5, 300)) < np.linspace(0.1, 0.9, 5)[:, None]
    several, alone = (selection_optimism(log_loss[:n], wrong[:n]) for n in (5, 1))
    assert several.log_loss_honest == pytest.approx(alone.log_loss_honest)
    assert several.metric_honest == pytest.approx(alone.metric_honest)
    assert several.metric == alone.metric


def slowly(log_loss, wrong, clusters, targets, resamples, seed):
    """Return the honest figures, one resample after the other."""
    names = np.unique(clusters)
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, len(names), size=(resamples, len(names)))
    metric, honest = [], []
    for one in drawn:
        rows = np.concatenate([np.flatnonzero(clusters == names[g]) for g in one])
        out = np.flatnonzero(~np.isin(clusters, names[one]))
        if not len(out):
            continue
        best = log_loss[:, rows].mean(axis=1).argmin()
        honest.append(log_loss[best, out].mean())
        classes = np.unique(targets[out])
        metric.append(np.mean([wrong[best, out[targets[out] == c]].mean() for c in classes]))
    return np.mean(metric), np.mean(honest)


@pytest.mark.parametrize("metric", ["error", "balanced_error"])
@pytest.mark.parametrize("n_clusters", [3, 25, 90])
def test_it_is_what_one_resample_after_the_other_gives(metric, n_clusters) -> None:
    rng = np.random.default_rng(n_clusters)
    log_loss, wrong = rng.gamma(1.0, 0.5, size=(12, 90)), rng.random((12, 90)) < 0.3
    clusters = 7 * rng.permutation(np.arange(90) % n_clusters)
    targets = rng.choice(3, size=90, p=[0.8, 0.15, 0.05])
    found = selection_optimism(
        log_loss, wrong, clusters, metric=metric, targets=targets, resamples=40, seed=5
    )
    strata = targets if metric == "balanced_error" else np.zeros(90)
    expected = slowly(log_loss, wrong, clusters, strata, 40, 5)
    assert (found.metric_honest, found.log_loss_honest) == pytest.approx(expected)


def test_rows_that_stand_twice_are_not_held_out_from_themselves() -> None:
    rng = np.random.default_rng(3)
    once = 0.5 + 0.3 * rng.normal(size=(40, 200))
    twice, wrong = np.tile(once, 2), np.zeros((40, 400), dtype=bool)
    clustered = selection_optimism(twice, wrong, np.tile(np.arange(200), 2))
    alone = selection_optimism(once, wrong[:, :200])
    assert clustered.log_loss_honest == pytest.approx(alone.log_loss_honest)
    # As if each stood alone, the copy of a drawn row would judge a selection that it made.
    assert selection_optimism(twice, wrong).log_loss_honest < alone.log_loss_honest - 0.01


def test_other_metrics_have_the_value_seen_and_none_that_is_honest() -> None:
    log_loss, wrong = np.array([[0.5] * 20, [0.4] * 20]), np.zeros((2, 20), dtype=bool)
    found = selection_optimism(log_loss, wrong, metric="auroc", values=np.array([0.8, 0.7]))
    assert found.metric == 0.7
    assert math.isnan(found.metric_honest)
    assert found.log_loss_honest == pytest.approx(0.4)
    assert math.isnan(selection_optimism(log_loss, wrong, metric="balanced_error").metric_honest)


def test_one_cluster_leaves_nothing_to_judge_on() -> None:
    found = selection_optimism(np.ones((2, 5)), np.zeros((2, 5), dtype=bool), np.zeros(5, int))
    assert math.isnan(found.log_loss_honest)
    assert math.isnan(found.metric_honest)
    assert found.log_loss == 1.0


def test_a_study_gives_those_trials_that_ended_with_their_rows() -> None:
    rng = np.random.default_rng(4)

    def record(number, state="complete"):
        base = "cross_entropy" if number == 0 else "focal"
        return TrialRecord(
            number, state, {"base": base}, {}, {"error": 0.3, "refined_log_loss": 0.5}
        )

    trials = [record(n) for n in range(4)] + [record(4, "diverged"), record(5)]
    rows = {
        n: ExampleLosses(rng.random(50).astype(np.float32), rng.random(50) < 0.3)
        for n in (0, 1, 2, 4, 5)
    }
    rows[2].log_loss[3] = np.inf
    found = study_optimism(trials, rows, clusters=np.arange(50))
    losses = np.stack([rows[n].log_loss for n in (0, 1, 5)])
    assert found is not None
    assert found.trials == 3
    assert found.metric == 0.3
    assert found.log_loss == pytest.approx(losses.mean(axis=1).min())
    assert study_optimism(trials, {}) is None


@pytest.mark.slow
def test_a_thousand_trials_of_25_000_rows_take_seconds() -> None:
    rng = np.random.default_rng(5)
    log_loss = rng.random((1000, 25_000), dtype=np.float32)
    # Of this process: other programs do not count.
    start = time.process_time()
    selection_optimism(log_loss, log_loss < 0.2)
    assert time.process_time() - start < 10.0


def equal_studies(sizes, *, gain=0.0, studies=80, n_rows=300):
    """Yield the difference of the best of two sides on all rows, and its optimism."""
    rng = np.random.default_rng(6)
    for seed in range(studies):
        log_loss = 0.5 + 0.3 * rng.normal(size=(sum(sizes), n_rows))
        is_baseline = np.arange(sum(sizes)) >= sizes[0]
        log_loss[~is_baseline] -= gain
        wrong = rng.random(log_loss.shape) < 0.2
        means = log_loss.mean(axis=1)
        seen = means[~is_baseline].min() - means[is_baseline].min()
        yield seen, pair_optimism(log_loss, wrong, is_baseline, resamples=100, seed=seed)


@pytest.mark.parametrize("gain", [0.0, 0.05])
def test_the_optimism_of_a_pair_undoes_the_luck_of_the_larger_side(gain: float) -> None:
    found = list(equal_studies((40, 4), gain=gain))
    seen = np.array([one for one, _ in found])
    corrected = seen + [one.log_loss for _, one in found]
    noise = 3 * 0.3 * math.sqrt(2 / (300 * len(found)))
    lucky = 0.3 / math.sqrt(300) * (expected_minimum(40) - expected_minimum(4))
    assert seen.mean() == pytest.approx(lucky - gain, abs=noise)
    assert lucky < -2 * noise
    assert corrected.mean() == pytest.approx(-gain, abs=noise)


def test_a_pair_without_a_choice_has_no_optimism() -> None:
    found = [one.log_loss for _, one in equal_studies((1, 1), studies=20)]
    # The noise of the resamples, of which those below 0 count as 0.
    assert np.mean(found) == pytest.approx(0.0, abs=0.004)


def test_the_larger_side_of_cross_entropy_never_flatters_the_challenger() -> None:
    assert all(one.log_loss == 0.0 for _, one in equal_studies((1, 40), studies=10))
    assert all(one.metric >= 0.0 for _, one in equal_studies((20, 20), studies=10))


def test_the_optimism_of_a_pair_is_what_one_resample_after_the_other_gives() -> None:
    rng = np.random.default_rng(7)
    log_loss, wrong = rng.gamma(1.0, 0.5, size=(12, 90)), rng.random((12, 90)) < 0.3
    clusters = rng.permutation(np.arange(90) % 25)
    is_baseline = np.arange(12) % 4 == 0
    found = pair_optimism(log_loss, wrong, is_baseline, clusters, resamples=40, seed=5)
    one, other = np.flatnonzero(~is_baseline), np.flatnonzero(is_baseline)

    def best(side, rows):
        return side[log_loss[np.ix_(side, rows)].mean(axis=1).argmin()]

    drawn = np.random.default_rng(5).integers(0, 25, size=(40, 25))
    honest = []
    for groups in drawn:
        rows = np.concatenate([np.flatnonzero(clusters == g) for g in groups])
        out = np.flatnonzero(~np.isin(clusters, groups))
        pair = best(one, rows), best(other, rows)
        honest.append(
            [
                values[pair[0], out].mean() - values[pair[1], out].mean()
                for values in (log_loss, wrong)
            ]
        )
    every = np.arange(90)
    pair = best(one, every), best(other, every)
    seen = [values[pair[0]].mean() - values[pair[1]].mean() for values in (log_loss, wrong)]
    expected = np.maximum(0.0, np.mean(honest, axis=0) - seen)
    assert (found.log_loss, found.metric) == pytest.approx(tuple(expected))


def test_both_sides_must_have_a_trial() -> None:
    log_loss, wrong = np.ones((2, 20)), np.zeros((2, 20), dtype=bool)
    with pytest.raises(ValueError, match="got 2 of 2 trials of cross-entropy"):
        pair_optimism(log_loss, wrong, np.ones(2, dtype=bool))


def test_a_study_without_another_loss_has_no_optimism_of_a_pair() -> None:
    rng = np.random.default_rng(8)
    figures = {"error": 0.3, "refined_log_loss": 0.5}
    trials = [
        TrialRecord(n, "complete", {"base": base}, {}, figures)
        for n, base in enumerate(["cross_entropy", "cross_entropy", "focal"])
    ]
    rows = {
        n: ExampleLosses(rng.random(50).astype(np.float32), rng.random(50) < 0.3) for n in range(3)
    }
    assert study_pair_optimism(trials[:2], rows) is None
    expected = pair_optimism(
        np.stack([rows[n].log_loss for n in range(3)]),
        np.stack([rows[n].wrong for n in range(3)]),
        np.array([True, True, False]),
    )
    assert study_pair_optimism(trials, rows) == expected
    assert isinstance(expected, PairOptimism)


def test_many_better_trials_do_not_crowd_out_cross_entropy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("autoloss.verdict.optimism._MOST_TRIALS", 3)
    rng = np.random.default_rng(9)
    trials = [
        TrialRecord(
            n,
            "complete",
            {"base": "focal" if n else "cross_entropy"},
            {},
            {"error": 0.3, "refined_log_loss": 1.0 - n / 10},
        )
        for n in range(6)
    ]
    rows = {
        n: ExampleLosses(rng.random(50).astype(np.float32), rng.random(50) < 0.3) for n in range(6)
    }
    among = [0, 3, 4, 5]
    expected = pair_optimism(
        np.stack([rows[n].log_loss for n in among]),
        np.stack([rows[n].wrong for n in among]),
        np.array([True, False, False, False]),
    )
    assert study_pair_optimism(trials, rows) == expected
