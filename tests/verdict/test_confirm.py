from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.metrics import average_precision_score, log_loss

from autoloss.core.errors import InputError
from autoloss.metrics import (
    auroc,
    average_precision,
    balanced_error,
    brier,
    debiased_calibration_error,
    error,
    top_label,
)
from autoloss.records import Comparison, PairOptimism
from autoloss.verdict.comparisons import CALIBRATION, compare, compare_metric, holm, mcnemar
from autoloss.verdict.confirm import Shipped, confirm, detectable_difference, unopposed
from autoloss.verdict.paired import PairedTest
from autoloss.verdict.phrases import verdict_text
from autoloss.verdict.significance import Findings

WORDS = "no evidence that it beats tuned cross-entropy"


@dataclass(frozen=True)
class Named:
    name: str
    fn: Any
    lower_is_better: bool = False
    is_of_trainings: bool = False
    paired: PairedTest | None = None

    def among(self, rows):
        return self

    def quotient(self, probs, targets):
        return None


def ranking(of):
    return Named(
        of.__name__,
        lambda probs, classes: of(torch.from_numpy(probs)[None, :, 1], torch.from_numpy(classes)),
    )


def normal(logits):
    return logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)


def draw(n=1000, classes=3, noise=(0.5, 0.5), scale=(1.0, 1.0), seed=0):
    """Return two noisy views of the same calibrated logits, and labels drawn from them."""
    rng = np.random.default_rng(seed)
    truth = 2.0 * rng.normal(size=(n, classes))
    probs = np.exp(normal(truth))
    targets = (rng.random((n, 1)) > probs.cumsum(axis=1)).sum(axis=1).clip(max=classes - 1)
    views = [
        normal(by * (truth + size * rng.normal(size=(n, classes))))
        for size, by in zip(noise, scale, strict=True)
    ]
    return *views, targets


def settle(one, other, targets, **options):
    return confirm(
        Shipped(5, "focal gamma=2", one), Shipped(1, "cross_entropy", other), targets, **options
    )


def test_values_are_those_of_the_metrics():
    one, other, targets = draw()
    counts = np.array([500, 300, 200])
    tested = compare(one, other, targets, class_counts=counts, resamples=50)
    both, labels = torch.from_numpy(np.stack([one, other])), torch.from_numpy(targets)
    expected = {
        "error": error(both, labels),
        "log_loss": [log_loss(targets, np.exp(part)) for part in (one, other)],
        "brier": brier(both, labels),
        "balanced_error": balanced_error(both, labels, class_counts=torch.from_numpy(counts)),
        CALIBRATION: debiased_calibration_error(*top_label(both, labels)),
    }
    assert tested.keys() == expected.keys()
    for name, values in expected.items():
        figures = tested[name].comparison
        assert (figures.challenger, figures.baseline) == pytest.approx(list(map(float, values)))


@pytest.mark.parametrize("n", [1, 2, 7, 20])
def test_few_rows_give_finite_intervals(n):
    one, other, targets = draw(n=n)
    for comparison in settle(one, other, targets, resamples=50).comparisons:
        assert np.isfinite([comparison.low, comparison.high, comparison.difference]).all()


def test_interval_of_a_mean_is_the_normal_one():
    one, other, targets = draw(n=4000)
    comparison = compare(one, other, targets)["log_loss"].comparison
    rows = np.arange(4000)
    differences = other[rows, targets] - one[rows, targets]
    within = [differences[targets == c] for c in range(3)]
    deviation = np.sqrt(sum(len(part) * part.var() for part in within)) / 4000
    ends = differences.mean() + deviation * stats.norm.ppf([0.025, 0.975])
    assert (comparison.low, comparison.high) == pytest.approx(list(ends), abs=0.1 * deviation)


def test_interval_of_the_calibration_is_centred_on_the_debiased_difference():
    one, other, targets = draw(n=500, scale=(1.0, 2.0))
    comparison = compare(one, other, targets)[CALIBRATION].comparison
    middle = (comparison.low + comparison.high) / 2
    half = (comparison.high - comparison.low) / 2
    assert abs(middle - comparison.difference) < 0.3 * half


def test_calibration_interval_covers_the_difference_of_the_population():
    one, other, targets = draw(n=100_000, scale=(1.0, 1.8), seed=1)
    truth = compare(one, other, targets, resamples=2)[CALIBRATION].comparison.difference
    covered = 0
    for seed in range(100):
        part = draw(n=500, scale=(1.0, 1.8), seed=10 + seed)
        comparison = compare(*part, resamples=300)[CALIBRATION].comparison
        covered += comparison.low <= truth <= comparison.high
    assert covered >= 88


def test_mcnemar_is_the_binomial_test_of_the_rows_that_differ():
    wrong, other = np.zeros(100), np.zeros(100)
    wrong[:3], other[3:15] = 1.0, 1.0
    assert mcnemar(wrong, other) == stats.binomtest(3, 15).pvalue
    assert mcnemar(wrong, wrong) == 1.0


def test_holm_rejects_what_its_step_down_rule_rejects():
    for p_values in itertools.product([0.001, 0.012, 0.02, 0.03, 0.2], repeat=3):
        rejected = [False] * 3
        for step, place in enumerate(np.argsort(p_values, kind="stable")):
            if p_values[place] * (3 - step) > 0.05:
                break
            rejected[place] = True
        assert (holm(np.array(p_values)) <= 0.05).tolist() == rejected


def test_equal_losses_are_rarely_called_better():
    decisions = [settle(*draw(n=400, seed=seed), resamples=300).decision for seed in range(200)]
    # At most 5 % are called anything, half of them better: 12 of 200 has a probability below 0.01.
    assert decisions.count("better") <= 11
    assert decisions.count("worse") <= 11


def test_a_planted_gain_is_found_and_its_mirror_image_is_worse():
    one, other, targets = draw(n=3000, noise=(0.3, 1.2))
    better, worse = settle(one, other, targets), settle(other, one, targets)
    assert (better.decision, worse.decision) == ("better", "worse")
    gained = (
        "it beats tuned cross-entropy, significantly in error, log loss and calibration error."
    )
    assert better.text.endswith(gained)
    assert "it is worse than tuned cross-entropy, significantly in" in worse.text
    for there, back in zip(better.comparisons, worse.comparisons, strict=True):
        assert there.difference == pytest.approx(-back.difference)


def test_a_gain_with_a_loss_is_no_evidence():
    one, other, targets = draw(n=6000, noise=(0.3, 0.9), scale=(4.0, 1.0))
    verdict = settle(one, other, targets)
    assert verdict.decision == "no_evidence"
    assert WORDS in verdict.text
    assert (
        "better in error, but significantly worse in log loss and calibration error"
        in verdict.text
    )


def test_an_interval_over_zero_is_no_evidence_and_says_so():
    verdict = settle(*draw())
    assert verdict.decision == "no_evidence"
    assert verdict.text.startswith("Focal has ")
    assert f"{WORDS} (interval covers zero)." in verdict.text
    assert " nats " in verdict.text
    assert " pp " in settle(*draw(), primary="error").text
    assert verdict.comparisons[0].covers_zero


def test_identical_probabilities_differ_in_nothing():
    one, _, targets = draw()
    verdict = settle(one, one, targets, resamples=100)
    assert all((c.low, c.difference, c.high) == (0.0, 0.0, 0.0) for c in verdict.comparisons)
    assert "has neither less nor more log loss than tuned cross-entropy" in verdict.text
    assert WORDS in verdict.text


def test_cross_entropy_never_meets_itself():
    verdict = unopposed(3, 200)
    assert verdict.decision == "undecided"
    assert verdict.comparisons == ()
    assert verdict.text.startswith("No loss but cross-entropy was trained")
    assert verdict.detectable == detectable_difference(200)


def scored(gains, losses, *, primary):
    """Return decision and text from tests with these outcomes, each difference 0.01."""
    sides = dict.fromkeys(gains, -0.01) | dict.fromkeys(losses, 0.01)
    tests = {
        name: PairedTest(Comparison(name, 0.2, 0.2 + by, by - 0.001, by + 0.001), 0.001)
        for name, by in sides.items()
    }
    found = Findings((), primary, tuple(tests.values()))
    return found.decision, verdict_text("Focal has", found, where="on 9 rows")


def flat(name, difference, half):
    return Comparison(name, 0.2, 0.2 + difference, difference - half, difference + half)


def test_a_gain_in_another_score_alone_is_better_unless_the_asked_metric_is_worse():
    # One standard error is a half interval of 1.96: 0.0051.
    within, beyond = flat("expected_cost", 0.005, 0.01), flat("expected_cost", 0.0052, 0.01)
    decision, text = scored(["log_loss"], [], primary=within)
    assert decision == "better"
    assert "no clear difference in expected cost, and it beats tuned cross-entropy" in text
    assert "significantly in log loss alone (0.0100 nats less log loss)" in text
    decision, text = scored(["log_loss"], [], primary=beyond)
    assert decision == "no_evidence"
    assert "worse in expected cost by more than one standard error" in text


def test_the_margin_follows_the_direction_of_the_metric():
    low = Comparison("auroc", 0.8, 0.79, -0.015, -0.005 + 0.01, lower_is_better=False)
    high = Comparison("auroc", 0.8, 0.81, -0.005, 0.025, lower_is_better=False)
    assert scored(["log_loss"], [], primary=low)[0] == "no_evidence"
    assert scored(["log_loss"], [], primary=high)[0] == "better"


def test_a_significant_loss_is_never_better():
    primary = flat("log_loss", -0.01, 0.001)
    assert scored(["log_loss"], ["error"], primary=primary)[0] == "no_evidence"
    assert scored([], ["error"], primary=primary)[0] == "worse"


def test_the_same_seed_gives_the_same_verdict():
    parts = draw(n=300)
    assert settle(*parts, seed=3) == settle(*parts, seed=3)
    assert settle(*parts, seed=3) != settle(*parts, seed=4)


def test_the_order_of_the_rows_hardly_moves_the_interval():
    one, other, targets = draw(n=2000)
    order = np.random.default_rng(0).permutation(2000)
    first = compare(one, other, targets)["error"].comparison
    second = compare(one[order], other[order], targets[order])["error"].comparison
    width = first.high - first.low
    assert first.difference == pytest.approx(second.difference)
    assert (first.low, first.high) == pytest.approx((second.low, second.high), abs=0.1 * width)


def test_order_of_the_comparisons_and_their_number():
    one, other, targets = draw(classes=2, n=300)
    shown = [c.metric for c in settle(one, other, targets, resamples=50).comparisons]
    assert shown == ["error", "log_loss", CALIBRATION, "balanced_error", "brier"]
    verdict = settle(one, other, targets, resamples=50, metric=ranking(auroc))
    assert [c.metric for c in verdict.comparisons][:2] == ["auroc", "log_loss"]
    assert len(verdict.comparisons) == 6
    verdict = settle(one, other, targets, resamples=50, metric=Named("balanced_error", None, True))
    assert verdict.comparisons[0].metric == "balanced_error"
    assert len(verdict.comparisons) == 5


def test_a_ranking_is_scikit_learns_and_higher_is_better():
    one, other, targets = draw(classes=2, n=800, noise=(0.2, 3.0))
    tested = compare_metric(ranking(average_precision), one, other, targets, resamples=200)
    figures = tested.comparison
    assert figures.challenger == pytest.approx(average_precision_score(targets, one[:, 1]))
    assert figures.baseline == pytest.approx(average_precision_score(targets, other[:, 1]))
    assert figures.low > 0.0
    assert tested.is_gain


def test_a_metric_of_the_users_takes_the_place_of_the_error():
    one, other, targets = draw(n=1500, noise=(0.2, 2.0))

    def accuracy(probs, classes):
        return float((probs.argmax(axis=1) == classes).mean())

    metric = Named("accuracy", accuracy)
    verdict = settle(one, other, targets, resamples=400, metric=metric)
    by_name = {c.metric: c for c in verdict.comparisons}
    assert verdict.comparisons[0].metric == "accuracy"
    assert by_name["accuracy"].difference == pytest.approx(-by_name["error"].difference)
    assert by_name["accuracy"].low == pytest.approx(-by_name["error"].high, abs=0.01)
    assert "more accuracy than tuned cross-entropy" in verdict.text
    assert verdict.decision == "better"


def test_a_metric_that_is_not_finite_is_named():
    metric = Named("metric", lambda probs, classes: float("nan"))
    with pytest.raises(InputError, match=r"must be finite on the test rows.*metric=nan"):
        settle(*draw(n=50), metric=metric, resamples=10)


@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_probabilities_that_are_no_numbers_are_refused(value):
    one, other, targets = draw(n=50)
    one[7, targets[7]] = value
    with pytest.raises(ValueError, match="finite at the true class"):
        settle(one, other, targets)


def test_parts_of_different_length_are_refused():
    one, other, targets = draw(n=50)
    with pytest.raises(ValueError, match=r"shape \(N, C\)"):
        settle(one, other[:-1], targets)


def test_detectable_difference_is_the_one_of_the_protocol():
    normal = stats.norm.ppf(1.0 - 0.05 / 6.0)
    expected = normal * np.sqrt(0.04 / 2000)
    assert detectable_difference(2000, disagreement=0.04) == pytest.approx(expected)
    assert detectable_difference(500) > detectable_difference(5000)
    assert detectable_difference(3) == 1.0


def test_seven_rows_must_differ_before_the_exact_test_can_speak_among_three():
    assert stats.binomtest(0, 7).pvalue < 0.05 / 3 < stats.binomtest(0, 6).pvalue
    assert detectable_difference(1000, disagreement=0.0) == 7 / 1000


def test_a_test_part_without_rows_is_refused():
    with pytest.raises(ValueError, match="n_test=0"):
        detectable_difference(0)


def by_metric(verdict):
    return {one.metric: one for one in verdict.comparisons}


@pytest.mark.parametrize("metric", [None, ranking(auroc)])
def test_a_verdict_is_moved_by_the_optimism_of_the_selection(metric):
    one, other, targets = draw(classes=2, noise=(0.5, 0.7))
    plain = by_metric(settle(one, other, targets, metric=metric))
    optimism = PairOptimism(0.02, 0.01 if metric is None else float("nan"))
    moved = by_metric(settle(one, other, targets, metric=metric, optimism=optimism))
    shifts = {name: moved[name].challenger - plain[name].challenger for name in plain}
    assert shifts["log_loss"] == pytest.approx(0.02)
    assert shifts[CALIBRATION] == 0.0
    errors = 0.02 / (plain["log_loss"].high - plain["log_loss"].low)
    for name in set(plain) - {"log_loss", CALIBRATION}:
        width = plain[name].high - plain[name].low
        expected = 0.01 if metric is None and name == "error" else errors * width
        gain = abs(plain[name].difference)
        expected = min(expected, gain)
        assert shifts[name] == pytest.approx(-expected if name == "auroc" else expected)
    for name, own in plain.items():
        assert moved[name].baseline == own.baseline
        assert moved[name].high - moved[name].low == pytest.approx(own.high - own.low)
        assert moved[name].low - own.low == pytest.approx(shifts[name])


def test_a_gain_no_larger_than_its_optimism_is_no_evidence():
    one, other, targets = draw(noise=(0.3, 0.7))
    gain = -by_metric(settle(one, other, targets))["log_loss"].difference
    decisions = [
        settle(one, other, targets, optimism=PairOptimism(share * gain, 0.0)).decision
        for share in (0.0, 0.2, 1.0)
    ]
    assert decisions[:2] == ["better", "better"]
    assert by_metric(settle(one, other, targets, optimism=PairOptimism(gain, gain)))[
        "log_loss"
    ].difference == pytest.approx(0.0)
    verdict = settle(one, other, targets, primary="log_loss", optimism=PairOptimism(gain, 1.0))
    assert verdict.decision == "no_evidence"


def test_a_correction_never_makes_a_loss():
    one, other, targets = draw(noise=(0.7, 0.3))
    for challenger, baseline in ((one, other), (one, one), (other, one)):
        plain = settle(challenger, baseline, targets)
        moved = settle(challenger, baseline, targets, optimism=PairOptimism(5.0, 0.5))
        assert moved.decision == {"worse": "worse"}.get(plain.decision, "no_evidence")
        for before, after in zip(plain.comparisons, moved.comparisons, strict=True):
            if before.difference >= 0.0 or before.metric == CALIBRATION:
                assert after == before
            else:
                assert after.difference == pytest.approx(0.0)
