from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoloss.core.errors import AutolossError
from autoloss.records import TrialRecord
from autoloss.verdict.finalists import FinalistChoice, pick_finalists

FAMILIES = ("cross_entropy", "brier", "focal", "poly1", "power", "mae", "square")


def trial(number, base, error, log_loss, *, state="complete", origin="sampler", **loss):
    metrics = {"error": error, "auroc": 1.0 - error, "refined_log_loss": log_loss}
    return TrialRecord(number, state, {"base": base, **loss}, {"lr": 0.01}, metrics, origin=origin)


STUDY = (
    trial(0, "cross_entropy", 0.30, 0.60, origin="default"),
    trial(1, "cross_entropy", 0.22, 0.50, origin="quota"),
    trial(2, "cross_entropy", 0.21, 0.49, target="smoothing"),
    trial(3, "focal", 0.20, 0.48),
    trial(4, "focal", 0.10, 0.70),
    trial(5, "brier", 0.25, 0.47),
    trial(6, "poly1", 0.24, 0.55),
)


def test_the_finalists_and_their_reasons() -> None:
    assert pick_finalists(STUDY, families=3) == (
        FinalistChoice(5, ("best of brier",)),
        FinalistChoice(3, ("best of focal",)),
        FinalistChoice(2, ("best of cross_entropy",)),
        FinalistChoice(4, ("lowest error",)),
        FinalistChoice(1, ("tuned cross-entropy",)),
        FinalistChoice(0, ("default cross-entropy",), competes=False),
    )


def test_without_families_there_are_the_sides_of_the_verdict() -> None:
    assert pick_finalists(STUDY, families=0) == (
        FinalistChoice(1, ("tuned cross-entropy",)),
        FinalistChoice(5, ("best besides cross-entropy",)),
        FinalistChoice(0, ("default cross-entropy",), competes=False),
    )


def test_default_cross_entropy_alone_does_not_compete() -> None:
    picked = pick_finalists(STUDY, families=3)
    assert [one.number for one in picked if not one.competes] == [0]


def test_one_trial_may_have_several_reasons_and_then_competes() -> None:
    alone = [trial(0, "cross_entropy", 0.1, 0.2, origin="default"), trial(1, "focal", 0.2, 0.3)]
    first, second = pick_finalists(alone)
    assert first.reasons == (
        "best of cross_entropy",
        "lowest error",
        "tuned cross-entropy",
        "default cross-entropy",
    )
    assert first.competes
    assert second == FinalistChoice(1, ("best of focal",))


def test_a_metric_to_be_raised_has_its_highest() -> None:
    picked = pick_finalists(STUDY, metric="auroc", lower_is_better=False, families=1)
    assert FinalistChoice(4, ("highest AUROC",)) in picked


def test_there_is_always_another_loss_to_compare_with() -> None:
    some = [
        trial(0, "cross_entropy", 0.30, 0.60, origin="default"),
        trial(1, "cross_entropy", 0.22, 0.40),
        trial(2, "cross_entropy", 0.25, 0.45, target="smoothing"),
        trial(3, "brier", 0.26, 0.46),
    ]
    picked = pick_finalists(some, families=1)
    assert FinalistChoice(2, ("best besides cross-entropy",)) in picked
    # With two families the best of the second is there already.
    assert {one.number for one in pick_finalists(some, families=2)} == {0, 1, 3}
    assert {one.number for one in pick_finalists(some[:2], families=1)} == {0, 1}


def test_of_equals_in_the_metric_the_lower_log_loss() -> None:
    more = [*STUDY, trial(7, "power", 0.10, 0.65)]
    (extreme,) = (p for p in pick_finalists(more, families=1) if "lowest error" in p.reasons)
    assert extreme.number == 7


def test_a_default_with_another_part_or_that_diverged_is_none() -> None:
    others = [t for t in STUDY if t.origin != "default"]
    smoothed = trial(7, "cross_entropy", 0.3, 0.6, origin="default", target="smoothing")
    diverged = trial(8, "cross_entropy", 0.3, 0.6, origin="default", state="diverged")
    for some in (others, [*others, smoothed], [*others, diverged]):
        assert not any("default cross-entropy" in p.reasons for p in pick_finalists(some))


def test_cut_off_trials_are_finalists_if_no_others_ended() -> None:
    few = [
        trial(0, "cross_entropy", 0.2, 0.5, origin="default"),
        trial(1, "focal", 0.1, 0.4, state="stopped"),
    ]
    assert {one.number for one in pick_finalists(few)} == {0, 1}
    ended = [*few, trial(2, "brier", 0.3, 0.6)]
    assert {one.number for one in pick_finalists(ended)} == {0, 2}


def test_without_cross_entropy_there_are_none() -> None:
    with pytest.raises(AutolossError, match="cross_entropy=0"):
        pick_finalists([trial(0, "focal", 0.1, 0.2), trial(1, "brier", 0.1, 0.2)])
    with pytest.raises(AutolossError, match="complete=0"):
        pick_finalists([])


figures = st.integers(0, 20).map(lambda n: n / 20)
studies = st.lists(st.tuples(st.sampled_from(FAMILIES), figures, figures), max_size=30)


@settings(max_examples=80)
@given(studies, st.integers(1, 7), st.randoms(use_true_random=False))
def test_they_are_the_best_of_the_best_families(some, families, order: random.Random) -> None:
    trials = [trial(0, "cross_entropy", 0.5, 0.9, origin="default")]
    trials += [trial(n, *one) for n, one in enumerate(some, start=1)]
    picked = pick_finalists(trials, families=families)
    assert len(picked) <= families + 3
    assert len({one.number for one in picked}) == len(picked)
    losses = {}
    for one in trials:
        own = losses.setdefault(one.family, [])
        own.append(one.metrics["refined_log_loss"])
    best = sorted(min(own) for own in losses.values())[:families]
    leaders = [one for one in picked if any(r.startswith("best of") for r in one.reasons)]
    assert [trials[one.number].metrics["refined_log_loss"] for one in leaders] == best
    order.shuffle(trials)
    assert pick_finalists(trials, families=families) == picked
