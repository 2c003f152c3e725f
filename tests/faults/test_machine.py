"""Memory that is short, a clock that jumps, and two searches of one name at one moment."""

from __future__ import annotations

import pytest

from tests.faults.counts import count, times
from tests.faults.programs import ALONE, SEARCH, TRIALS, Program, Signal, run_again
from tests.faults.studies import check_same, found_in

pytestmark = pytest.mark.faults
DAY = 86_400.0


@pytest.mark.parametrize("kind", [pytest.param("host", marks=pytest.mark.slow), "device"])
def test_a_full_memory_halves_the_populations(programs, unharmed, place, kind):
    folder = place / "reports" / "s"
    end = run_again(programs, folder, hooks=[("hold_at_most", {"candidates": 2, "kind": kind})])
    assert end.code == 0, end.text
    assert "The memory was full: 2 candidates train together now." in end.text
    found = found_in(folder)
    assert len(found.trials) == TRIALS
    verdict = found.conclusion["verdict"]["decision"]
    assert verdict == unharmed.found.conclusion["verdict"]["decision"]
    count(f"exhausted memory ({kind})", tried=1, remark="populations of 2 instead of 4")


def test_a_memory_that_holds_no_candidate_is_one_line(programs, place):
    harm = ("hold_at_most", {"candidates": 0, "kind": "device"})
    end = run_again(programs, place / "reports" / "s", hooks=[harm])
    assert end.code == 1
    assert "The memory must hold at least one candidate" in end.lines[-1]


@pytest.mark.parametrize("seconds", [pytest.param(DAY, marks=pytest.mark.slow), -DAY])
def test_a_clock_that_jumps_changes_nothing(programs, unharmed, place, seconds):
    folder = place / "reports" / "s"
    jumping = ("set_clock", {"seconds": seconds, "calls": 7})
    end = run_again(
        programs, folder, hooks=[jumping], signals=[Signal("SIGKILL", 0, "telling", 2)]
    )
    assert end.was_killed
    # Resumed by a clock that is set the other way.
    end = run_again(programs, folder, hooks=[("set_clock", {"seconds": -seconds})])
    assert end.code == 0, end.text
    check_same(found_in(folder), unharmed.found)
    way = "forward" if seconds > 0 else "back"
    count(f"a clock set {way} a day, repeatedly", tried=1, remark="killed, resumed")


def test_two_searches_of_one_name_at_one_moment(programs, unharmed, place):
    tried = times(20, few=1)
    for number in range(tried):
        words = (*SEARCH, *ALONE, "--name", f"s{number}")
        ends = sorted(programs.together([Program(words, place)] * 2), key=lambda end: end.code)
        assert [end.code for end in ends] == [0, 2], [end.text for end in ends]
        (line,) = ends[1].lines
        assert line.startswith("autoloss: A study's name must be new")
        check_same(found_in(place / "reports" / f"s{number}"), unharmed.found)
    count("two searches of one name at once", tried=tried, remark="one searches, one is refused")


def test_two_searches_without_a_name_at_one_moment(programs, unharmed, place):
    tried = times(10, few=1)
    for number in range(tried):
        out = f"out{number}"
        words = (*SEARCH, *ALONE, "--out", out)
        ends = programs.together([Program(words, place)] * 2)
        assert [end.code for end in ends] == [0, 0], [end.text for end in ends]
        folders = sorted((place / out).iterdir())
        assert [folder.name for folder in folders] == ["iris", "iris-2"]
        for folder in folders:
            check_same(found_in(folder), unharmed.found)
    count("two searches without a name at once", tried=tried, remark="two studies")


@pytest.mark.slow
def test_two_resumes_of_a_killed_study_share_its_trials(programs, place):
    tried = times(10, few=1)
    for number in range(tried):
        folder = place / "reports" / f"s{number}"
        end = run_again(programs, folder, signals=[Signal("SIGKILL", 0, "telling")])
        assert end.was_killed
        ends = programs.together([Program(("resume", folder.name), place)] * 2)
        assert [end.code for end in ends] == [0, 0], [end.text for end in ends]
        assert not any("Traceback" in end.text for end in ends)
        # No slot has ended twice, which `found_in` checks.
        found = found_in(folder)
        assert len(found.trials) == TRIALS
        assert found.conclusion is not None
    count("two `resume` of a study at once", tried=tried, remark="each trial once, one verdict")
