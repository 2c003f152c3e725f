from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from autoloss.core.errors import InputError
from autoloss.records import TrialRecord
from autoloss.search import Study
from autoloss.verdict.pareto import front_numbers
from autoloss.verdict.rules import RULES, rule_sentence, rules_found, select_trial
from tests.report.summaries import make_summary
from tests.search.fake_training import COUNTS, logits_of

BASE = make_summary(n_trials=12)


def trial(number, error, log_loss, state="complete", **metrics):
    figures = {"error": error, "refined_log_loss": log_loss, **metrics}
    return TrialRecord(number, state, {"base": "focal"}, {"lr": 0.01}, figures)


def study(trials, *, metric="error", lower_is_better=True, **changes):
    """Return a summary of these trials and one of cross-entropy that is beaten by all."""
    last = trial(len(trials), 99.0, 99.0)
    worst = {metric: 99.0 if lower_is_better else -99.0}
    last = replace(last, loss={"base": "cross_entropy"}, metrics=last.metrics | worst)
    trials = (*trials, last)
    front = front_numbers(trials, metric=metric, lower_is_better=lower_is_better)
    made = replace(BASE, trials=trials, pareto=front, metric=metric)
    return replace(made, lower_is_better=lower_is_better, **changes)


KINDS = study(
    [
        trial(0, 0.10, 0.50, balanced_error=0.4, debiased_calibration_error=0.3),
        trial(1, 0.20, 0.30, balanced_error=0.3, debiased_calibration_error=0.2),
        trial(2, 0.30, 0.20, balanced_error=0.2, debiased_calibration_error=0.1),
        trial(3, 0.40, 0.60, balanced_error=0.1, debiased_calibration_error=0.0),
        trial(4, 0.0, 0.0, "diverged", balanced_error=0.0, debiased_calibration_error=-1.0),
    ]
)


@pytest.mark.parametrize(
    ("by", "number"),
    [
        ("error", 0),
        ("log_loss", 2),
        ("calibration", 2),
        ("balanced_error", 3),
        ("knee", 1),
        (3, 3),
        (np.int64(4), 4),
    ],
)
def test_each_rule_names_its_trial(by, number) -> None:
    assert select_trial(KINDS, by).number == number


def test_every_rule_is_one_sentence() -> None:
    for sentence in RULES.values():
        assert sentence.endswith(".")
        assert ". " not in sentence
    assert rule_sentence(KINDS, "knee") == RULES["knee"]
    assert "highest auroc" in rule_sentence(
        study([trial(0, 0.1, 0.1, auroc=0.9)], metric="auroc", lower_is_better=False), "auroc"
    )


def test_an_unknown_rule_names_the_closest() -> None:
    with pytest.raises(InputError, match="by='calibratoin', did you mean 'calibration'"):
        rule_sentence(KINDS, "calibratoin")
    with pytest.raises(InputError, match="number=77"):
        select_trial(KINDS, 77)


def test_cost_needs_a_cost_matrix() -> None:
    with pytest.raises(InputError, match="cost_matrix=None"):
        select_trial(KINDS, "cost")
    costs = ((0.0, 1.0), (5.0, 0.0))
    priced = study(
        [trial(0, 0.1, 0.1, expected_cost=0.7), trial(1, 0.2, 0.2, expected_cost=0.6)],
        cost_matrix=costs,
    )
    assert select_trial(priced, "cost").number == 1
    with pytest.raises(InputError, match="no expected_cost"):
        select_trial(replace(KINDS, cost_matrix=costs), "cost")


def test_the_studys_metric_follows_its_direction() -> None:
    trials = [trial(n, 0.1, 0.1 * n, gain=0.1 * n) for n in range(3)]
    assert select_trial(study(trials, metric="gain", lower_is_better=False), "gain").number == 2
    assert select_trial(study(trials, metric="gain"), "gain").number == 0


def test_of_equals_the_lower_log_loss_and_then_the_earlier() -> None:
    trials = [trial(0, 0.1, 0.3), trial(1, 0.1, 0.2), trial(2, 0.1, 0.2)]
    assert select_trial(study(trials), "error").number == 1


def test_cut_off_trials_can_be_named_if_no_others_ended() -> None:
    trials = (trial(0, 0.1, 0.3, "stopped"), trial(1, 0.2, 0.2, "stopped"))
    cut = replace(KINDS, trials=trials, pareto=(0, 1))
    assert select_trial(cut, "error") == trials[0]
    assert select_trial(cut, "log_loss") == trials[1]


def test_rules_without_a_figure_are_left_out() -> None:
    found = rules_found(KINDS)
    assert found["knee"] == (1, RULES["knee"])
    assert set(found) == {*RULES} - {"cost"}
    ranked = study([trial(0, 0.1, 0.1, auroc=0.9)], metric="auroc", lower_is_better=False)
    assert rules_found(ranked)["auroc"] == (0, rule_sentence(ranked, "auroc"))


points = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=3, max_size=12)


@given(points, st.booleans(), st.floats(0.1, 50.0), st.floats(0.1, 50.0))
def test_the_knee_is_the_point_farthest_below_the_chord(some, lower, wide, high) -> None:
    sign = 1.0 if lower else -1.0
    trials = [trial(n, 0.5, y, mine=sign * x) for n, (x, y) in enumerate(some)]
    made = study(trials, metric="mine", lower_is_better=lower)
    found = select_trial(made, "knee")
    front = np.array([some[n] for n in made.pareto], dtype=float)
    assert found.number in made.pareto
    span = front.max(0) - front.min(0)
    if (span > 0).all():
        scaled = (front - front.min(0)) / span
        start, end = scaled[scaled[:, 0].argmin()], scaled[scaled[:, 0].argmax()]
        along, away = end - start, scaled - start
        below = -(along[0] * away[:, 1] - along[1] * away[:, 0]) / np.hypot(*along)
        assert below[made.pareto.index(found.number)] == pytest.approx(below.max())
    # Scaling the axes changes nothing.
    trials = [
        replace(t, metrics={**t.metrics, "mine": wide * t.metrics["mine"]}) for t in made.trials
    ]
    wider = [
        replace(t, metrics={**t.metrics, "refined_log_loss": high * t.metrics["refined_log_loss"]})
        for t in trials
    ]
    assert select_trial(replace(made, trials=tuple(wider)), "knee").number == found.number


def test_a_front_that_bulges_outwards_has_its_knee_at_an_end() -> None:
    trials = [trial(0, 0.0, 1.0), trial(1, 0.9, 0.9), trial(2, 1.0, 0.0)]
    assert select_trial(study(trials), "knee").number == 2
    assert select_trial(study(trials[:1]), "knee").number == 0


@pytest.fixture(scope="module")
def with_a_constant(tmp_path_factory):
    """Return the trials of a study, one of which always predicted the class shares; its number."""
    labels = torch.arange(3000) % 3
    # Surer of every second row than it should be, which no temperature puts right.
    surer = torch.where(torch.arange(3000) % 2 == 0, 6.0, 0.3)[:, None]
    with Study("c", COUNTS, trials=8, space="quick", out=tmp_path_factory.mktemp("c")) as made:
        asked = made.ask(8)
        constant = asked[3].number
        logits = torch.stack([surer * logits_of(one, n_rows=3000) for one in asked])
        logits[3] = torch.bincount(labels).log()
        made.tell_many(asked, logits, labels, seconds=[1.0] * 8)
        return made.trials, constant


def test_a_constant_predictor_of_the_class_shares_is_calibrated_and_never_chosen(
    with_a_constant,
) -> None:
    trials, constant = with_a_constant
    calibration = {t.number: t.metrics["debiased_calibration_error"] for t in trials}
    # The premise: its calibration alone would win.
    assert min(calibration, key=calibration.__getitem__) == constant
    front = front_numbers(trials)
    assert constant not in front
    made = replace(BASE, trials=trials, pareto=front)
    chosen = {number for number, _ in rules_found(made).values()}
    assert {"calibration", "knee"} <= set(rules_found(made))
    assert constant not in chosen


def test_on_error_and_calibration_error_the_constant_predictor_would_stand(
    with_a_constant,
) -> None:
    trials, constant = with_a_constant
    swapped = [
        replace(
            t,
            metrics={
                "error": t.metrics["error"],
                "refined_log_loss": t.metrics["debiased_calibration_error"],
            },
        )
        for t in trials
    ]
    assert constant in front_numbers(swapped)
