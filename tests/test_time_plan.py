"""What a time limit allows: laws of the plan, with costs that are given."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoloss.experiment.time_plan import FEWEST_TRIALS, LEAST_TRIALS, Finals, Workload
from autoloss.search import load_space, plan_families
from autoloss.verdict.coverage import ENOUGH_TRIALS

ASKED = Finals(finalists=5, replicates=5)
NESTED = Finals(finalists=5, replicates=5, repeats=2, outer_trials=70)
WORK = Workload(
    trials=128,
    epochs=20,
    finals=ASKED,
    divisions=5,
    outer_folds=0,
    together=32,
    once=0.01,
    each=0.01,
)
OUTER = replace(WORK, finals=NESTED, outer_folds=5, outer_size=0.75)
BASES = ("cross_entropy", "brier", "focal", "poly1", "generalized_cross_entropy")

works = st.builds(
    Workload,
    trials=st.integers(1, 300),
    epochs=st.integers(1, 60),
    finals=st.builds(
        Finals,
        finalists=st.integers(1, 6),
        replicates=st.integers(1, 6),
        repeats=st.integers(1, 3),
        outer_trials=st.integers(2, 150),
    ),
    divisions=st.integers(1, 5),
    outer_folds=st.integers(0, 5),
    together=st.integers(1, 300),
    once=st.floats(0.0, 1.0),
    each=st.floats(1e-4, 1.0),
    per_trial=st.floats(0.0, 0.1),
    outer_work=st.sampled_from([0.0, 0.5, 1.0]),
)
limits = st.floats(0.0, 1e5)


@settings(deadline=None)
@given(work=works, one=limits, other=limits)
def test_more_time_never_allows_fewer_trials(work: Workload, one: float, other: float) -> None:
    shorter, longer = (work.within(seconds) for seconds in sorted((one, other)))
    assert shorter.trials <= longer.trials


@settings(deadline=None)
@given(work=works, seconds=limits)
def test_a_plan_fits_or_is_the_smallest(work: Workload, seconds: float) -> None:
    plan = work.within(seconds)
    if plan.seconds > seconds * (1 + 1e-9):
        assert plan.epochs == 1
        assert plan.trials == min(work.trials, FEWEST_TRIALS)
        assert plan.finals == work.smallest(plan.trials)
    assert 1 <= plan.trials <= work.trials
    assert 1 <= plan.epochs <= work.epochs
    assert 1 <= plan.finals.replicates <= work.finals.replicates
    assert 1 <= plan.finals.finalists <= work.finals.finalists


def test_everything_runs_where_there_is_time_for_it() -> None:
    whole = OUTER.whole()
    assert OUTER.within(whole.seconds) == whole
    assert (whole.trials, whole.epochs, whole.finals) == (128, 20, NESTED)


@pytest.mark.parametrize("work", [WORK, OUTER])
def test_trials_give_way_before_epochs_and_never_the_schedule_of_the_finals(
    work: Workload,
) -> None:
    whole = work.whole()
    seen = [work.within(share * whole.seconds) for share in (0.8, 0.5, 0.3, 0.1, 0.03, 0.01)]
    for plan in seen:
        assert plan.trials >= LEAST_TRIALS
        # A verdict needs 16 trials of half of the epochs: to these both give way first.
        assert plan.epochs == work.epochs or plan.trials <= ENOUGH_TRIALS
        assert plan.trials >= ENOUGH_TRIALS or plan.epochs < work.epochs
        assert plan.trials < ENOUGH_TRIALS or plan.epochs >= work.epochs / 2
    assert [plan.trials for plan in seen] == sorted((p.trials for p in seen), reverse=True)
    assert min(plan.epochs for plan in seen) < work.epochs


def test_quick_bounds_its_outer_folds() -> None:
    protocol = load_space("quick").protocol
    assert (protocol.outer_repeats, protocol.outer_work) == (1, 1.0)


def test_families_follow_from_the_trials_that_are_allowed() -> None:
    counts = []
    for share in (1.0, 0.6, 0.3, 0.15):
        trials = WORK.within(share * WORK.whole().seconds).trials
        plan = plan_families(BASES, trials)
        assert plan.families[0] == "cross_entropy"
        assert plan.quota >= 4
        # Brier is a baseline of the smallest budgets, not a family.
        left = {*BASES, "brier"} - set(plan.families)
        assert set(plan.dropped) | {"brier"} >= left
        counts.append(len(plan.families))
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] < counts[0]


def test_outer_folds_are_bounded_by_the_search() -> None:
    bounded = replace(OUTER, outer_work=1.0, divisions=2)
    for trials in (4, 20, 128):
        finals = bounded.bounded(NESTED, trials=trials)
        outer = finals.outer_trials * finals.repeats * bounded.outer_folds * bounded.outer_size
        assert outer <= trials * bounded.divisions or finals.outer_trials == FEWEST_TRIALS
    assert replace(bounded, outer_work=0.0).bounded(NESTED, trials=128) == NESTED


def test_repeats_of_outer_folds_give_way_before_their_trials() -> None:
    whole = OUTER.population_seconds(2 * 5 * 70, epochs=20, size=0.75)
    assert OUTER.outer_within(whole, trials=70, finals=NESTED, epochs=20) == NESTED
    half = OUTER.outer_within(0.6 * whole, trials=70, finals=NESTED, epochs=20)
    assert (half.repeats, half.outer_trials) == (1, 70)
    less = OUTER.outer_within(0.2 * whole, trials=70, finals=NESTED, epochs=20)
    assert less.repeats == 1
    assert 4 <= less.outer_trials < 70
    none = OUTER.outer_within(0.0, trials=70, finals=NESTED, epochs=20)
    assert (none.repeats, none.outer_trials) == (1, 4)
