"""Signals of users and systems: cheap work is finished, and the study goes on later."""

from __future__ import annotations

import pytest

from tests.faults.counts import count, times
from tests.faults.programs import ALONE, SEARCH, Signal, run_again
from tests.faults.studies import check_same, found_in

pytestmark = pytest.mark.faults
# Trials that train together, and are told together.
POPULATION = 4


def test_ctrl_c_keeps_the_training_runs_that_are_being_told(programs, unharmed, place):
    folder = place / "reports" / "s"
    once = [Signal("SIGINT", 0.1, "telling")]
    slow = [("tell_slowly", {"seconds": 1.0})]
    end = run_again(programs, folder, hooks=slow, signals=once)
    assert end.code == 130
    (line,) = end.lines
    assert "the study is kept" in line
    assert len(found_in(folder).trials) == POPULATION
    assert run_again(programs, folder).code == 0
    check_same(found_in(folder), unharmed.found)
    count("Ctrl-C while trials are stored", tried=1, remark="stores them first")


def test_ctrl_c_twice_ends_at_once(programs, unharmed, place):
    folder = place / "reports" / "s"
    twice = [Signal("SIGINT", 0.1, "telling"), Signal("SIGINT", 0.2)]
    slow = [("tell_slowly", {"seconds": 100.0})]
    end = run_again(programs, folder, hooks=slow, signals=twice)
    assert (end.code, end.sent) == (130, 2)
    assert end.seconds < 60
    assert "the study is kept" in end.lines[-1]
    assert found_in(folder).trials == {}
    count("Ctrl-C twice", tried=1, remark="ends at once")
    assert run_again(programs, folder).code == 0
    check_same(found_in(folder), unharmed.found)


@pytest.mark.parametrize(
    ("signal", "code"),
    [
        ("SIGINT", 130),
        ("SIGTERM", 143),
        pytest.param("SIGHUP", 129, marks=pytest.mark.slow),
    ],
)
def test_a_search_that_a_signal_ends_goes_on(programs, unharmed, place, signal, code):
    phases = ("training", "final trainings", "telling", "report")
    tried = times(40, few=1)
    for number in range(tried):
        folder = place / "reports" / f"s{number}"
        sent = [Signal(signal, 0.05 * (number // len(phases)), phases[number % len(phases)])]
        end = run_again(programs, folder, signals=sent)
        assert end.code in (code, 0), end.text
        assert "Traceback" not in end.text
        if end.code:
            (line,) = end.lines
            assert f"autoloss resume s{number}" in line
            assert run_again(programs, folder).code == 0
        check_same(found_in(folder), unharmed.found)
    count(signal, tried=tried, remark=f"exit code {code}, resumed")


def test_a_computer_that_sleeps_wakes_to_the_same_search(programs, unharmed, place):
    folder = place / "reports" / "s"
    asleep = [Signal("SIGSTOP", 0.0, "training"), Signal("SIGCONT", 2.0)]
    end = run_again(programs, folder, signals=asleep)
    assert (end.code, end.sent) == (0, 2)
    count("suspended computer", tried=1, remark="continues")
    check_same(found_in(folder), unharmed.found)


@pytest.mark.slow
def test_a_computer_that_sleeps_through_a_time_limit_reaches_a_verdict(programs, place):
    words = (*SEARCH, *ALONE, "--time-limit", "12s", "--name", "s")
    for number in range(times(5, few=1)):
        asleep = [Signal("SIGSTOP", 0.1 * number, "training"), Signal("SIGCONT", 15.0)]
        end = programs.run(*words[:-1], f"s{number}", folder=place, signals=asleep)
        assert "Traceback" not in end.text
        assert end.sent == 2
        folder = place / "reports" / f"s{number}"
        assert end.code == 0 or len(end.lines) == 1, end.text
        if end.code:
            assert run_again(programs, folder).code == 0
        assert found_in(folder).conclusion is not None
    count("suspended beyond the time limit", tried=number + 1, remark="reaches a verdict")
