from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoloss.core.errors import AutolossError
from autoloss.records import TrialRecord
from autoloss.verdict.select import ExampleLosses, choose, is_plain_cross_entropy

COMPLEXITY = {"cross_entropy": 0, "brier": 1, "focal": 2, "poly1": 3}


def simplicity(trial):
    return (COMPLEXITY[trial.family], len(trial.loss))


def trial(number, base, error, log_loss, state="complete", **loss):
    metrics = {"error": error, "refined_log_loss": log_loss}
    return TrialRecord(
        number=number, state=state, loss={"base": base, **loss}, nuisance={}, metrics=metrics
    )


def spread(n_rows=400, wrong=0, log_loss=0.5, noise=0.0, seed=0):
    """Return rows with `wrong` errors and a mean log loss, noisy or not."""
    rng = np.random.default_rng(seed)
    rows = noise * rng.normal(size=n_rows)
    return ExampleLosses(
        log_loss=(rows - rows.mean() + log_loss).astype(np.float32),
        wrong=np.arange(n_rows) < wrong,
    )


def study(*settings):
    """Return trials and rows from (base, wrong rows of 400, log loss, noise)."""
    trials, examples = [], {}
    for number, (base, wrong, log_loss, noise) in enumerate(settings):
        trials.append(trial(number, base, wrong / 400, log_loss))
        examples[number] = spread(400, wrong, log_loss, noise, number)
    return trials, examples


def test_the_lowest_log_loss_within_one_paired_error_of_the_best_wins():
    # 40 rows against 41: one paired error is 1/400. Against 60: 20/400, and an error of 0.011.
    trials, examples = study(
        ("cross_entropy", 44, 0.5, 0.0),
        ("brier", 40, 0.4, 0.0),
        ("focal", 41, 0.3, 0.0),
        ("poly1", 60, 0.1, 0.0),
    )
    choice = choose(trials, examples, simplicity=simplicity)
    assert choice.admissible == (1, 2)
    assert choice.challenger.number == 2
    assert choice.baseline.number == 0
    assert choice.front == (1, 2, 3)
    assert "lowest validation error" in choice.rule


def test_ties_in_log_loss_go_to_the_simpler():
    trials, examples = study(
        ("cross_entropy", 80, 0.9, 0.3), ("focal", 40, 0.300, 0.3), ("brier", 40, 0.301, 0.3)
    )
    assert choose(trials, examples, simplicity=simplicity).challenger.family == "brier"


def test_a_difference_beyond_one_paired_error_is_no_tie():
    trials, examples = study(
        ("cross_entropy", 80, 0.9, 0.3), ("focal", 40, 0.300, 0.0), ("brier", 40, 0.301, 0.0)
    )
    assert choose(trials, examples, simplicity=simplicity).challenger.family == "focal"


def test_the_challenger_is_the_best_other_loss_if_cross_entropy_wins():
    trials, examples = study(
        ("cross_entropy", 40, 0.3, 0.0), ("focal", 60, 0.4, 0.0), ("brier", 80, 0.5, 0.0)
    )
    choice = choose(trials, examples, simplicity=simplicity)
    assert (choice.baseline.number, choice.challenger.number) == (0, 1)
    assert choice.admissible == (1,)


def test_the_baseline_is_the_plain_cross_entropy_of_the_lowest_log_loss():
    trials, examples = study(
        ("cross_entropy", 40, 0.5, 0.0), ("cross_entropy", 60, 0.4, 0.0), ("focal", 50, 0.3, 0.0)
    )
    smoothed = trial(3, "cross_entropy", 0.01, 0.01, target="smoothing")
    warmer = trial(4, "cross_entropy", 0.01, 0.02, temperature=2.0)
    choice = choose([*trials, smoothed, warmer], examples, simplicity=simplicity)
    assert choice.baseline.number == 1
    assert choice.challenger.number == 3


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ({"base": "cross_entropy"}, True),
        ({"base": "cross_entropy", "prior": "none", "temperature": 1.0}, True),
        ({"base": "cross_entropy", "prior": "logit_adjust", "logit_adjust.tau": 1.0}, False),
        ({"base": "cross_entropy", "penalty": "confidence"}, False),
        ({"base": "cross_entropy", "temperature": 0.5}, False),
        ({"base": "brier"}, False),
    ],
)
def test_plain_cross_entropy_has_no_other_part(loss, expected):
    assert is_plain_cross_entropy(loss) is expected


def test_a_study_of_cross_entropy_alone_puts_it_against_itself():
    trials, examples = study(("cross_entropy", 40, 0.5, 0.0), ("cross_entropy", 60, 0.4, 0.0))
    choice = choose(trials, examples, simplicity=simplicity)
    assert choice.challenger == choice.baseline == trials[1]


def test_a_single_trial_is_challenger_and_baseline():
    trials, examples = study(("cross_entropy", 40, 0.5, 0.0))
    choice = choose(trials, examples, simplicity=simplicity)
    assert choice.challenger == choice.baseline == trials[0]
    assert choice.front == choice.admissible == (0,)


def test_trials_that_did_not_end_are_passed_over():
    trials, examples = study(("cross_entropy", 40, 0.5, 0.0), ("focal", 40, 0.4, 0.0))
    worse = [
        trial(2, "brier", 0.0, 0.0, state="diverged"),
        trial(3, "brier", float("nan"), 0.0),
        TrialRecord(number=4, state="complete", loss={"base": "brier"}, nuisance={}),
    ]
    assert choose([*worse, *trials], examples, simplicity=simplicity).challenger.number == 1


def test_without_a_usable_trial_there_is_nothing_to_choose():
    with pytest.raises(AutolossError, match="complete=0"):
        choose([trial(0, "focal", 0.1, 0.1, state="diverged")], {}, simplicity=simplicity)


def test_without_cross_entropy_there_is_nothing_to_compare_with():
    with pytest.raises(AutolossError, match="cross_entropy=0"):
        choose([trial(0, "focal", 0.1, 0.1)], {}, simplicity=simplicity)


def test_without_rows_only_the_best_is_admissible():
    trials, _ = study(
        ("cross_entropy", 44, 0.5, 0.0), ("brier", 40, 0.4, 0), ("focal", 41, 0.3, 0)
    )
    assert choose(trials, {}, simplicity=simplicity).admissible == (1,)


def ranked(number, base, value, log_loss):
    metrics = {"auroc": value, "refined_log_loss": log_loss}
    return TrialRecord(number, "complete", {"base": base}, {}, metrics)


def test_a_metric_to_be_raised_is_admissible_within_the_error_that_is_given():
    trials = [
        ranked(0, "cross_entropy", 0.80, 0.5),
        ranked(1, "brier", 0.90, 0.4),
        ranked(2, "focal", 0.89, 0.3),
        ranked(3, "poly1", 0.87, 0.2),
    ]
    choice = choose(
        trials,
        {},
        simplicity=simplicity,
        metric="auroc",
        lower_is_better=False,
        metric_se={1: 0.02, 3: 0.5},
    )
    assert choice.admissible == (1, 2)
    assert choice.challenger.number == 2
    assert "highest validation AUROC" in choice.rule


def test_a_metric_with_values_left_out_is_paired():
    trials = [
        ranked(0, "cross_entropy", 0.80, 0.5),
        ranked(1, "brier", 0.90, 0.4),
        ranked(2, "focal", 0.89, 0.3),
    ]
    parts = 0.9 + 0.01 * np.random.default_rng(0).normal(size=20)
    rows = spread(40)
    examples = {
        number: ExampleLosses(rows.log_loss, rows.wrong, parts - lower)
        for number, lower in [(0, 0.1), (1, 0.0), (2, 0.01)]
    }
    # The two move together, so that the small difference is beyond its paired error.
    choice = choose(trials, examples, simplicity=simplicity, metric="auroc", lower_is_better=False)
    assert choice.admissible == (1,)


def test_balanced_error_weighs_the_classes_alike():
    targets = np.array([0] * 390 + [1] * 10)
    missed = np.zeros(400, dtype=bool)
    missed[390:392] = True
    rows = np.full(400, 0.5, dtype=np.float32)
    examples = {
        0: ExampleLosses(rows, np.zeros(400, dtype=bool)),
        1: ExampleLosses(rows, missed),
    }
    trials = [
        TrialRecord(
            number,
            "complete",
            {"base": base},
            {},
            {"balanced_error": value, "refined_log_loss": 0.5},
        )
        for number, base, value in [(0, "cross_entropy", 0.0), (1, "focal", 0.1)]
    ]
    choice = choose(
        trials, examples, simplicity=simplicity, metric="balanced_error", targets=targets
    )
    # 2 of 10 missed: a balanced difference of 0.1 with an error of sqrt(0.16 / 9) / 2 = 0.067.
    assert choice.challenger.number == 1
    assert choice.baseline.number == 0


def test_a_row_held_out_several_times_counts_once() -> None:
    # One row in 100 more wrong: an error of 0.01, but of 0.005 if its four copies counted.
    settings = [("cross_entropy", 20, 0.9, 0.0), ("brier", 0, 0.4, 0.0), ("focal", 1, 0.3, 0.0)]
    trials, examples = study(*settings)
    for number, wrong in enumerate((20, 0, 1)):
        once = spread(100, wrong, 0.4)
        examples[number] = ExampleLosses(np.tile(once.log_loss, 4), np.tile(once.wrong, 4))
        trials[number] = trial(number, trials[number].family, wrong / 100, 0.5 - 0.1 * number)
    clusters = np.tile(np.arange(100), 4)
    alone = choose(trials, examples, simplicity=simplicity)
    together = choose(trials, examples, simplicity=simplicity, clusters=clusters)
    assert alone.admissible == (1,)
    assert together.admissible == (1, 2)


bases = st.sampled_from(sorted(COMPLEXITY))
rows_of = st.lists(st.tuples(bases, st.integers(0, 12), st.integers(0, 10_000)), max_size=8)


def drawn(some):
    """Return a study on 30 rows, with the figures of its rows."""
    trials, examples = [], {}
    for number, (base, n_wrong, seed) in enumerate([("cross_entropy", 6, 1), *some]):
        rng = np.random.default_rng(seed)
        rows = rng.gamma(1.0, 0.4, size=30).astype(np.float32)
        wrong = rng.permutation(30) < n_wrong
        examples[number] = ExampleLosses(rows, wrong)
        trials.append(trial(number, base, float(wrong.mean()), float(rows.mean())))
    return trials, examples


def figures(one):
    return one.metrics["error"], one.metrics["refined_log_loss"]


def dominates(one, other):
    a, b = figures(one), figures(other)
    return a != b and a[0] <= b[0] and a[1] <= b[1]


@settings(max_examples=60)
@given(rows_of)
def test_nothing_admissible_that_is_as_simple_dominates_the_challenger(some):
    trials, examples = drawn(some)
    choice = choose(trials, examples, simplicity=simplicity)
    winner = choice.challenger
    if winner.number != choice.baseline.number:
        assert winner.number in choice.admissible
    for number in choice.admissible:
        if simplicity(trials[number]) <= simplicity(winner):
            assert not dominates(trials[number], winner)


@settings(max_examples=60)
@given(rows_of)
def test_no_admissible_trial_dominates_the_challenger_if_all_are_as_simple(some):
    trials, examples = drawn([("focal", wrong, seed) for _, wrong, seed in some])
    choice = choose(trials, examples, simplicity=lambda _: (0,))
    assert not any(dominates(trials[n], choice.challenger) for n in choice.admissible)


@settings(max_examples=40)
@given(rows_of, st.randoms(use_true_random=False))
def test_the_order_of_the_trials_plays_no_part(some, order: random.Random):
    trials, examples = drawn(some)
    choice = choose(trials, examples, simplicity=simplicity)
    order.shuffle(trials)
    assert choose(trials, examples, simplicity=simplicity) == choice
