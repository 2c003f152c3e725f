"""Laws of the plan of a time limit, with given costs."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoloss.core.settings import NetworkConfig, ProtocolConfig, TrainingConfig
from autoloss.core.task import Task
from autoloss.data import DataOptions, prepare
from autoloss.experiment.boosting import boosting_seconds
from autoloss.experiment.finals import Finals
from autoloss.experiment.time_plan import (
    COMFORTABLE_TRIALS,
    FEWEST_TRIALS,
    LEAST_TRIALS,
    REFIT_MARGIN,
    Workload,
)
from autoloss.experiment.workload import (
    AFTER,
    AFTER_EACH_ROW,
    STRANGER_SECONDS,
    TIMED_ROWS,
    TIMED_SECONDS,
    after_seconds,
    prediction_seconds,
    reference_seconds,
    workload_of,
)
from autoloss.models import networks_for
from autoloss.search import load_space, plan_families
from autoloss.training.divisions import Divisions
from autoloss.training.estimate import EpochCosts
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
COVERED = replace(WORK, finals=Finals(finalists=5, replicates=10))
OUTER = replace(WORK, finals=NESTED, outer_folds=5, outer_size=0.75)
BASES = ("cross_entropy", "brier", "focal", "poly1", "generalized_cross_entropy")

works = st.builds(
    Workload,
    trials=st.integers(1, 300),
    epochs=st.integers(1, 60),
    finals=st.builds(
        Finals,
        finalists=st.integers(1, 6),
        replicates=st.integers(1, 10),
        repeats=st.integers(1, 3),
        outer_trials=st.integers(2, 150),
        refit=st.booleans(),
    ),
    divisions=st.integers(1, 5),
    outer_folds=st.integers(0, 5),
    together=st.integers(1, 300),
    once=st.floats(0.0, 1.0),
    each=st.floats(1e-4, 1.0),
    per_trial=st.floats(0.0, 0.1),
    outer_work=st.sampled_from([0.0, 0.5, 1.0]),
    predicted=st.floats(0.0, 5.0),
)
limits = st.floats(0.0, 1e5)


@given(work=works, one=limits, other=limits)
def test_more_time_never_allows_fewer_trials(work: Workload, one: float, other: float) -> None:
    shorter, longer = (work.within(seconds) for seconds in sorted((one, other)))
    assert shorter.trials <= longer.trials


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
    assert 0 <= plan.finals.finalists <= work.finals.finalists


def test_everything_runs_where_there_is_time_for_it() -> None:
    whole = OUTER.whole()
    assert OUTER.within(whole.seconds) == whole
    assert (whole.trials, whole.epochs, whole.finals) == (128, 20, NESTED)


@pytest.mark.parametrize("work", [WORK, COVERED, OUTER])
def test_trials_give_way_before_epochs_and_never_the_schedule_of_the_finals(
    work: Workload,
) -> None:
    whole = work.whole()
    seen = [work.within(share * whole.seconds) for share in (0.8, 0.5, 0.3, 0.1, 0.03, 0.01)]
    for plan in seen:
        assert plan.trials >= LEAST_TRIALS
        # Trials give way first, then half of the schedule, then trials down to those of a verdict.
        assert plan.epochs == work.epochs or plan.trials <= COMFORTABLE_TRIALS
        assert plan.trials >= COMFORTABLE_TRIALS or plan.epochs <= work.epochs / 2
        assert plan.trials < ENOUGH_TRIALS or plan.epochs >= work.epochs / 2
        # Only a plan that trains all of its trials to their end has no rungs.
        assert plan.rungs == work.rungs(plan.epochs)[-len(plan.rungs) :]
        assert plan.rungs
    assert [plan.trials for plan in seen] == sorted((p.trials for p in seen), reverse=True)
    assert min(plan.epochs for plan in seen) < work.epochs


def test_a_shorter_time_leaves_fewer_final_training_runs_down_to_two() -> None:
    asked = COVERED.finals
    whole = COVERED.final_seconds(asked, 20)
    shares = (1.0, 0.9, 0.7, 0.5, 0.3, 0.1, 0.0)
    found = [COVERED.finals_within(share * whole, trials=128, epochs=20) for share in shares]
    counts = [one.replicates for one in found]
    assert (found[0].finalists, found[0].replicates) == (asked.finalists, asked.replicates)
    assert counts == sorted(counts, reverse=True)
    assert len({*counts}) > 3
    # Families give way before the training runs that hold out each row once, and after the others.
    assert all(one.finalists == 5 for one in found if one.replicates > 5)
    assert all(one.finalists == 0 for one in found if one.replicates < 5)
    assert {one.finalists for one in found} >= {0, 5}
    # The sides of the verdict: tuned and default cross-entropy, and another loss.
    assert (found[-1].finalists, counts[-1], found[-1].trainings) == (0, 2, 6)
    for share, one in zip(shares[:5], found, strict=False):
        assert COVERED.final_seconds(one, 20) <= share * whole


def test_training_runs_that_judge_all_rows_are_planned_and_no_outer_folds() -> None:
    values = np.random.default_rng(0).normal(size=(300, 3))
    frame = pd.DataFrame(values, columns=list("abc")).assign(y=values[:, 0] > 0)
    works, boosting = {}, {}
    for judge in ("out_of_fold", "nested"):
        protocol = ProtocolConfig(judge=judge)
        data = prepare(frame, DataOptions(target="y"), protocol=protocol)
        divisions = Divisions.of(
            data.folds, 2, NetworkConfig(width=8), TrainingConfig(), device="cpu", seed=0
        )
        works[judge] = workload_of(
            protocol,
            data,
            divisions,
            trials=64,
            epochs=20,
            families=8,
            fixed=40,
            together=32,
            costs=EpochCosts(0.01, 0.01),
        )
        boosting[judge] = reference_seconds(data, protocol, None)
        assert after_seconds(data) == pytest.approx(AFTER + 300 * AFTER_EACH_ROW)
    held_out, nested = works["out_of_fold"], works["nested"]
    assert held_out.finals == Finals(finalists=5, replicates=10)
    assert nested.finals == Finals(finalists=5, replicates=5, repeats=2, outer_trials=40)
    assert (held_out.outer_folds, nested.outer_folds) == (0, 5)
    assert held_out.whole().seconds < 0.7 * nested.whole().seconds
    # One boosting for each of the five folds that hold out every row once.
    one = boosting_seconds(300, 3, Task.of_classes(2))
    assert boosting == {"out_of_fold": 5 * one, "nested": 5 * one}


def test_quick_bounds_its_outer_folds() -> None:
    protocol = load_space("quick").protocol
    assert (protocol.outer_repeats, protocol.outer_work) == (1, 1.0)


def test_the_last_training_on_all_rows_is_given_up_last() -> None:
    work = replace(COVERED, finals=replace(COVERED.finals, refit=True), refit_size=1.25)
    whole = work.whole()
    plans = [work.within(share * whole.seconds) for share in (1.0, 0.3, 0.1, 0.05, 0.04, 0.0)]
    assert all(p.finals.refit or p.finals == work.smallest(p.trials) for p in plans)
    assert [p.finals.refit for p in plans] == [True] * 5 + [False]
    # All members of a blend have time to train again: of four trials where families are trained,
    # of two where there are the sides of the verdict alone.
    assert {bool(plan.finals.finalists) for plan in plans[:5]} == {True, False}
    for plan in plans[:5]:
        alone = work.population_seconds(plan.finals.replicates, epochs=plan.epochs, size=1.25)
        with_it, without = (
            work.final_seconds(replace(plan.finals, refit=refit), plan.epochs)
            for refit in (True, False)
        )
        trials = 4 if plan.finals.finalists else 2
        assert with_it - without == pytest.approx(REFIT_MARGIN * trials * alone)


def test_a_trial_of_a_race_costs_a_third_of_a_whole_one() -> None:
    whole, race = (WORK.search_seconds(128, 20, at) for at in ((), WORK.rungs(20)))
    assert WORK.rungs(20) == (2, 6)
    assert 0.2 * whole < race < 0.4 * whole
    # Slowly: all train 2 epochs, 43 go on to 6, 15 to the 17 that are used.
    epochs = 128 * 2 + 43 * 4 + 15 * 11
    assert WORK.trained_epochs(128, 20, (2, 6)) == pytest.approx(epochs)
    assert WORK.rest_seconds(43, 20, (2, 6), age=2) == pytest.approx(
        18 * WORK.once + (epochs - 256) * WORK.divisions * WORK.each
    )


def test_trials_of_a_race_run_to_their_end_where_a_limit_has_time_for_all() -> None:
    race = replace(WORK, racing=True)
    assert race.whole().rungs == (2, 6)
    plenty = WORK.whole().seconds
    assert race.whole().seconds < plenty
    assert race.within(plenty) == WORK.within(plenty) == WORK.whole()
    assert race.within(0.8 * plenty) == WORK.within(0.8 * plenty)
    assert race.within(0.8 * plenty).rungs


def test_families_follow_from_the_trials_that_are_allowed() -> None:
    counts = []
    for share in (1.0, 0.3, 0.1, 0.02):
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


def test_predictions_of_locked_rows_take_their_time_from_the_rest() -> None:
    work = replace(WORK, predicted=2.0)
    for finals in (Finals(0, 2), Finals(5, 5)):
        more = work.final_seconds(finals, 20) - WORK.final_seconds(finals, 20)
        assert more == pytest.approx(
            2.0 * min(finals.finalists + finals.more, 6) * finals.replicates
        )
    for share in (0.8, 0.4, 0.2):
        seconds = share * work.whole().seconds
        plan, free = work.within(seconds), WORK.within(seconds)
        assert plan.seconds <= seconds
        assert plan.trials <= free.trials
        assert plan.finals.trainings <= free.finals.trainings


def test_predictions_are_timed_for_the_number_of_locked_rows(monkeypatch) -> None:
    frame = pd.DataFrame({"x": np.arange(3000.0) % 7, "y": np.arange(3000) % 2})
    each, clock, calls = 1e-4, [0.0], []

    def predict(*arguments, **_) -> None:
        calls.append(len(arguments[3]))
        # The first time of all fills caches.
        clock[0] += each * calls[-1] if len(calls) > 1 else 10.0

    monkeypatch.setattr("autoloss.experiment.workload.raw_scores", predict)
    stopped = SimpleNamespace(perf_counter=lambda: clock[0])
    monkeypatch.setattr("autoloss.experiment.workload.time", stopped)

    def seconds(n_test: int | None, strangers: int = 0) -> float:
        calls.clear()
        test = None if n_test is None else frame.iloc[:n_test]
        data = prepare(frame, DataOptions(target="y", test=test))
        networks = networks_for([data.encoding.schema], data.task.n_outputs, NetworkConfig())
        return prediction_seconds(data, networks[0], strangers)

    assert (seconds(None), calls) == (0.0, [])
    assert seconds(30) == pytest.approx(30 * each)
    # 256 rows take less than a timing that tells enough.
    assert calls[:2] == [TIMED_ROWS, TIMED_ROWS]
    assert calls[2] * each > TIMED_SECONDS
    assert seconds(3000) == pytest.approx(3000 * each)
    # OOD rows are predicted, and their scores compared.
    assert seconds(None, 8000) == pytest.approx(8000 * (each + STRANGER_SECONDS))
