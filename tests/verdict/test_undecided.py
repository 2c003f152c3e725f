from __future__ import annotations

import numpy as np
import pytest
import torch

from autoloss.records import CurvePoint
from autoloss.search import Study
from autoloss.verdict.baseline import is_plain_cross_entropy
from autoloss.verdict.replicates import Replicates
from tests.search.fake_training import COUNTS, LABELS, logits_of, run

ROWS = torch.arange(600) % 3


def opened(tmp_path, **options):
    return Study("s", COUNTS, **{"trials": 24, "space": "quick", "out": tmp_path} | options)


def signal(*, strength=2.0, seed=0):
    noise = torch.Generator().manual_seed(seed)
    hot = torch.nn.functional.one_hot(ROWS, 3) * strength
    return hot + torch.randn(len(ROWS), 3, generator=noise)


def concluded(study, *, challenger=2.0, baseline=2.0):
    """Return the result of a challenger and a baseline with signals of these strengths."""
    choice = study.finalists()
    logits = {
        choice.challenger.number: signal(strength=challenger),
        choice.baseline.number: signal(strength=baseline, seed=1),
    }
    return study.finish(logits, ROWS)


def tell(study, trials, *, epochs=20, cut=False):
    """Tell trials that were trained for some epochs."""
    study.tell_many(
        trials,
        torch.stack([logits_of(trial) for trial in trials]),
        LABELS,
        curves=[[CurvePoint(epochs, 0.5, 0.1)] for _ in trials],
        stopped=[cut] * len(trials),
    )


def test_a_challenger_that_wins_is_better_after_enough_training(tmp_path) -> None:
    with opened(tmp_path) as study:
        run(study)
        summary = concluded(study, challenger=4.0).summary
    assert summary.verdict.decision == "better"
    assert summary.recommended == summary.verdict.challenger
    assert summary.coverage is not None
    assert summary.coverage.trials == 24


def test_the_same_challenger_is_undecided_if_too_few_trials_ended(tmp_path) -> None:
    with opened(tmp_path) as study:
        run(study, together=11, at_most=1)
        summary = concluded(study, challenger=4.0).summary
    assert summary.verdict.decision == "undecided"
    assert summary.verdict.reason == "not enough training: 11 of 24 trials"
    assert summary.verdict.comparisons


def test_trials_that_were_cut_off_decide_nothing(tmp_path) -> None:
    with opened(tmp_path) as study:
        while not study.done:
            tell(study, study.ask(8), epochs=2, cut=True)
        result = concluded(study, challenger=4.0)
    verdict = result.verdict
    assert verdict.decision == "undecided"
    assert verdict.reason == "not enough training: 2 of 20 epochs, 0 of 24 trials"
    best = min(
        (verdict.challenger, verdict.baseline),
        key=lambda n: result.summary.trial(n).metrics["refined_log_loss"],
    )
    assert result.summary.recommended == best


def test_a_plain_cross_entropy_that_was_cut_off_is_not_replaced_by_a_smoothed_one(
    tmp_path,
) -> None:
    with opened(tmp_path) as study:
        while not study.done:
            trials = study.ask(8)
            for trial in trials:
                plain = is_plain_cross_entropy(trial.spec.to_dict())
                tell(study, [trial], epochs=15 if plain else 20, cut=plain)
        choice = study.finalists()
        verdict = concluded(study, challenger=4.0).verdict
    assert is_plain_cross_entropy(choice.baseline.loss)
    assert choice.challenger.number != choice.baseline.number
    assert verdict.decision == "undecided"
    assert "15 of 20 epochs" in verdict.reason


@pytest.mark.parametrize("challenger", [0.0, 4.0])
def test_a_baseline_that_only_knows_the_class_shares_decides_nothing(tmp_path, challenger) -> None:
    with opened(tmp_path) as study:
        run(study)
        verdict = concluded(study, challenger=challenger, baseline=0.0).verdict
    assert verdict.decision == "undecided"
    assert "not better than the class shares" in verdict.reason
    assert verdict.text.startswith("Tuned cross-entropy is not better than the class shares")


def test_the_requested_metric_decides_the_verdict(tmp_path) -> None:
    for name, metric, primary in (("a", None, "log_loss"), ("b", "error", "error")):
        with opened(tmp_path / name, metric=metric) as study:
            run(study)
            assert concluded(study).verdict.primary == primary
    costs = [[0.0, 1.0, 5.0], [1.0, 0.0, 5.0], [1.0, 1.0, 0.0]]
    with opened(tmp_path / "c", cost_matrix=costs) as study:
        run(study)
        assert concluded(study).verdict.primary == "expected_cost"


def replicated(study, picked, *, default, tuned, other):
    """Return replicates whose log losses are these by role."""
    roles = {"default cross-entropy": default, "tuned cross-entropy": tuned}
    rows = [next((roles[r] for r in reversed(one.reasons) if r in roles), other) for one in picked]
    log_loss = np.array(rows)[:, None] + 0.001 * np.random.default_rng(0).normal(size=(1, 5))
    numbers = tuple(one.number for one in picked)
    return Replicates(numbers, np.full_like(log_loss, 0.2), log_loss, n_train=300.0, n_valid=100.0)


@pytest.mark.parametrize(
    ("default", "role"), [(0.40, "default cross-entropy"), (0.46, "tuned cross-entropy")]
)
def test_the_baseline_is_the_better_of_default_and_tuned(tmp_path, default, role) -> None:
    with opened(tmp_path) as study:
        while not study.done:
            for trial in study.ask(8):
                # The default is the worst on the rows of the search.
                logits = logits_of(trial) / (10.0 if trial.origin == "default" else 1.0)
                logits += 3.0 * torch.randn(60, 3) * (trial.origin == "default")
                study.tell(trial, logits, LABELS)
        picked = study.pick_finalists()
        by_role = {reason: one.number for one in picked for reason in one.reasons}
        assert by_role["default cross-entropy"] != by_role["tuned cross-entropy"]
        made = replicated(study, picked, default=default, tuned=0.43, other=0.42)
        choice, finalists = study.choose(picked, made)
    assert choice.baseline.number == by_role[role]
    assert choice.challenger.number not in (by_role["default cross-entropy"], choice.baseline)
    # Its own difference to itself is not known.
    (own,) = (one for one in finalists if one.number == choice.baseline.number)
    assert np.isnan(own.difference)
    assert choice.best == (choice.baseline if default < 0.42 else choice.challenger).number


def test_too_little_training_leaves_the_choice_to_the_log_loss(tmp_path) -> None:
    with opened(tmp_path) as study:
        run(study)
        picked = study.pick_finalists()
        made = replicated(study, picked, default=0.4, tuned=0.4, other=0.4)
        plain = [is_plain_cross_entropy(study.trial(n).spec.to_dict()) for n in made.numbers]
        lowest = next(i for i in reversed(range(len(plain))) if not plain[i])
        made.log_loss[lowest] -= 0.1
        made.metric[lowest] += 0.5
        choice, _ = study.choose(picked, made, by_log_loss=True)
        assert choice.challenger.number == made.numbers[lowest]
        usual, _ = study.choose(picked, made)
        assert usual.challenger.number != made.numbers[lowest]
