"""The division of a search's time: laws with a clock and costs of the test."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from autoloss.core import clock as clocks
from autoloss.core.clock import Clock, counting_from
from autoloss.core.errors import InputError
from autoloss.experiment import timetable as timetables
from autoloss.experiment.finals import Finals
from autoloss.experiment.limit_text import allowed_text
from autoloss.experiment.time_plan import Workload
from autoloss.experiment.timetable import Timetable
from autoloss.training import EpochReport

WORK = Workload(
    trials=100,
    epochs=20,
    finals=Finals(finalists=4, replicates=5, repeats=2, outer_trials=60),
    divisions=2,
    outer_folds=5,
    together=32,
    once=0.01,
    each=0.01,
    final_size=1.0,
    outer_size=0.75,
)
AFTER = 2.0


class Time:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def process_time(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    found = Time()
    for module in (clocks, timetables):
        monkeypatch.setattr(module, "time", found)
    return found


def begun(limit: float | None, **how: object) -> Timetable:
    return Timetable(WORK, Clock.start(limit), after=AFTER, **how)  # type: ignore[arg-type]


def trained(table: Timetable, time: Time, *, slower: float, epochs: int = 20) -> None:
    """Let a population of 32 train, each epoch `slower` times as long as timed."""
    table.begin()
    for epoch in range(1, epochs + 1):
        time.now += slower * (WORK.once + 32 * WORK.each)
        alive = 32 if epoch < epochs else 0
        table.saw(EpochReport(epoch, 20, 32, alive, 0.5))


def test_time_for_the_end_is_reserved_before_training_begins(time: Time) -> None:
    for limit in (30.0, 60.0, 100.0):
        table = begun(limit)
        needed = WORK.final_seconds(table.plan.finals, table.plan.epochs)
        assert table.clock.reserved == pytest.approx(AFTER + needed)
        assert table.clock.search_ends == pytest.approx(time.now + limit - AFTER - needed)


def test_the_reserved_time_grows_if_the_machine_is_slower(time: Time) -> None:
    table = begun(100.0)
    before, fitting = table.clock.reserved, table.fitting(100)
    trained(table, time, slower=3.0)
    table.keep_time(ended=16)
    assert table.clock.reserved > 1.5 * before
    assert table.fitting(100) < fitting
    assert table.left <= 100.0


def test_all_final_training_runs_come_before_further_trials(time: Time) -> None:
    table = begun(25.0)
    plan = table.plan
    table.keep_time(ended=plan.trials - 1)
    planned = table.clock.reserved
    table.keep_time(ended=plan.trials)
    assert plan.finals != WORK.finals
    assert table.clock.reserved > planned
    assert table.clock.reserved == pytest.approx(
        AFTER + WORK.final_seconds(WORK.bounded(WORK.finals, trials=plan.trials), plan.epochs)
    )


def test_the_time_of_finalists_that_do_not_exist_goes_to_further_trials(time: Time) -> None:
    table = begun(25.0)
    trials = table.plan.trials
    reserved = []
    for finalists in (7, 3, 2):
        table.keep_time(ended=trials, finalists=finalists)
        reserved.append(table.clock.reserved)
    assert reserved == sorted(reserved, reverse=True)
    whole = WORK.bounded(WORK.finals, trials=trials)
    few = WORK.final_seconds(whole, table.plan.epochs) - WORK.population_seconds(
        7 * whole.replicates, epochs=table.plan.epochs
    )
    few += WORK.population_seconds(3 * whole.replicates, epochs=table.plan.epochs)
    assert reserved[1] == pytest.approx(AFTER + few)


def test_final_training_runs_fit_into_the_time_left_or_are_the_fewest(time: Time) -> None:
    table = begun(100.0)
    for left in (1.0, 10.0, 30.0, 60.0, 99.0):
        time.now = 1000.0 + 100.0 - left
        finals = table.finals(ended=20)
        needed = WORK.final_seconds(finals, table.plan.epochs)
        assert needed <= max(0.0, left - AFTER) or finals == WORK.smallest(20)
    assert begun(None).finals(ended=100) == WORK.finals


def test_fewer_trials_pass_a_rung_when_time_is_short(time: Time) -> None:
    table = begun(60.0)
    ends = table.clock.search_ends
    assert ends is not None
    time.now = ends - 20.0
    assert table.keeping(16, age=6) == 16
    time.now = ends - 1.0
    assert 2 <= table.keeping(16, age=6) < 16
    # Whoever is older needs less.
    assert table.keeping(16, age=6) < table.keeping(16, age=15)
    time.now = ends + 5.0
    assert table.keeping(16, age=6) == 2
    assert begun(None).keeping(16, age=6) == 16


def test_survivors_take_time_from_the_final_training_runs_down_to_the_smallest(time: Time) -> None:
    table = begun(60.0)
    last, ends = table.deadline(0), table.clock.search_ends
    assert last is not None
    assert ends is not None
    smallest = WORK.smallest(table.plan.trials)
    left = 1000.0 + 60.0 - AFTER - last
    assert left == pytest.approx(0.5 * WORK.final_seconds(smallest, table.plan.epochs))
    assert last > ends
    # The first trials have their time in any case.
    time.now = 2000.0
    assert table.deadline(0) == time.now
    needed = WORK.search_seconds(4, table.plan.epochs, table.plan.rungs)
    assert table.deadline(4) == pytest.approx(time.now + 1.1 * needed)
    assert begun(None).deadline(4) is None


def test_a_limit_that_allows_nothing_is_refused_with_the_least_one(time: Time) -> None:
    began = time.now
    time.now += 30.0
    with counting_from(began), pytest.raises(InputError, match=r"about 3\d s here") as error:
        begun(10.0)
    assert "\n" not in str(error.value)


def test_a_clock_counts_from_the_start_of_the_program(time: Time) -> None:
    with counting_from(time.now - 4.0):
        clock = Clock.start(10.0)
    assert clock.elapsed == pytest.approx(4.0)
    assert clock.left == pytest.approx(6.0)
    assert Clock.start(10.0).elapsed == 0.0


def test_a_study_that_goes_on_keeps_its_trials_and_epochs(time: Time) -> None:
    plan = begun(10.0, before=(40, 7)).plan
    assert (plan.trials, plan.epochs) == (40, 7)


def test_the_first_population_is_small_if_training_runs_are_long(time: Time) -> None:
    quick = begun(None)
    assert quick.first(16) == 16
    slow = Timetable(
        Workload(**{**vars(WORK), "each": 0.2, "once": 0.001}), Clock.start(), after=AFTER
    )
    assert slow.first(16) < 16
    assert slow.asked.search_seconds(slow.first(16), 20) <= 30.0
    first = slow.first(16)
    time.now += 15.0
    assert 1 <= slow.first(16) < first
    time.now += 1000.0
    assert slow.first(16) == 1
    # Where small populations waste work that large populations share, they gain nothing.
    shared = Timetable(
        Workload(**{**vars(WORK), "each": 0.0001, "once": 5.0}), Clock.start(), after=AFTER
    )
    assert shared.first(16) == 16


@pytest.mark.parametrize("slower", [0.5, 1.0, 4.0])
def test_the_time_left_is_right_after_a_population(time: Time, slower: float) -> None:
    table = begun(None)
    whole = slower * (WORK.whole().seconds / WORK.used) + AFTER
    for _ in range(3):
        trained(table, time, slower=slower)
    spent = time.now - 1000.0
    # Nobody stopped early here, as was expected of some.
    assert spent + table.forecast.left == pytest.approx(whole, rel=0.3)


def test_a_search_with_more_trials_than_time_takes_all_of_it(time: Time) -> None:
    table = begun(25.0)
    assert table.plan.trials < WORK.trials
    trained(table, time, slower=1.0)
    assert table.left == pytest.approx(25.0 - (time.now - 1000.0))
    ample = begun(10_000.0)
    assert ample.left == pytest.approx(ample.forecast.left)
    assert ample.left < 1000.0


def test_the_text_names_the_work_that_a_limit_allows(time: Time) -> None:
    whole = WORK.whole()
    assert allowed_text(600.0, WORK, whole, ()) == "10 min allow all 100 trials at 20 epochs."
    short = WORK.within(0.05 * whole.seconds)
    text = allowed_text(10.0, WORK, short, ("poly1", "power"))
    assert text.startswith(
        f"10 s allow about {short.trials} of 100 trials at {short.epochs} of 20"
    )
    assert (
        "continues after epochs 1 and 3); not trained: poly1 and power. There is time for" in text
    )
    assert (
        f"for {short.finals.replicates} final training runs of cross-entropy and the best other "
        "loss alone in place of 5 of 4 families"
    ) in text
    more = replace(short, finals=replace(short.finals, finalists=3))
    assert "of each finalist of 3 families in" in allowed_text(10.0, WORK, more, ())
    assert text.endswith("1 of 2 nested cross-validations.")
    wanted = replace(WORK, finals=replace(WORK.finals, refit=True))
    assert "no last training" not in allowed_text(10.0, WORK, short, ()).lower()
    assert allowed_text(10.0, wanted, short, ()).endswith(
        "No time is left for the last training on all rows."
    )


def test_crowding_is_told_from_the_processors_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = SimpleNamespace(monotonic=lambda: 10.0, process_time=lambda: 4.0)
    monkeypatch.setattr(clocks, "time", now)
    assert Clock(started=2.0, processor=0.0).crowding == pytest.approx(2.0)
    assert Clock(started=8.0, processor=0.0).crowding == 1.0
