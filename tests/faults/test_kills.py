"""A search that is killed at random moments and resumed finds what an unharmed search finds."""

from __future__ import annotations

import random
import shutil
import statistics
from collections import Counter

import pytest

from tests.faults.counts import count, times
from tests.faults.fork_server import PHASES
from tests.faults.programs import Signal, run_again
from tests.faults.studies import Found, check_nothing_is_lost, check_same, found_in

pytestmark = pytest.mark.faults
KILLS_OF_A_STUDY = 8
# Seconds of each phase after which most of its work is done.
LENGTHS = {"starting": 0.6, "training": 0.3, "telling": 0.15, "final trainings": 1.5}
LENGTHS |= {"report": 0.3, "exporting": 0.3}


def kill(draw: random.Random, number: int, *, writes: int) -> dict:
    """Return the options of a program that is killed: at a write, or within a phase."""
    if number % 2:
        return {"hooks": [("die_at_write", {"number": draw.randint(1, writes)})]}
    phase = PHASES[number // 2 % (len(PHASES) - 1)]
    entry = draw.choice((1, 1, 2)) if phase in ("training", "telling") else 1
    after = draw.uniform(0, LENGTHS[phase])
    own = None if phase == "starting" else phase
    return {"signals": [Signal("SIGKILL", after, own, entry)]}


def test_a_killed_search_finds_what_an_unharmed_search_finds(programs, unharmed, place):
    whole, writes = unharmed.found, unharmed.end.writes
    wanted, draw = times(200, few=4), random.Random(0)
    kills: Counter[str] = Counter()
    seconds, studies, runs = [], 0, 0
    while kills.total() < wanted:
        name, before = f"s{studies}", Found({})
        folder = place / "reports" / name
        studies += 1
        for _ in range(min(KILLS_OF_A_STUDY, wanted - kills.total())):
            runs += 1
            harm = kill(draw, runs, writes=writes)
            end = run_again(programs, folder, **harm)
            assert end.was_killed or end.code == 0, end.text
            kills[end.phase] += end.was_killed
            after = found_in(folder)
            check_nothing_is_lost(before, after)
            before = after
            if not end.was_killed:
                break
        end = run_again(programs, folder)
        assert end.code == 0, end.text
        seconds.append(end.seconds)
        check_same(found_in(folder), whole)
        shutil.rmtree(folder)
    for phase, number in kills.items():
        count(f"SIGKILL, {phase}", tried=number, remark="resumed")
    runs = f"{studies} studies; {statistics.median(seconds):.1f} s from the last kill to the end"
    count("SIGKILL, all phases", tried=kills.total(), remark=runs)


# What writes ONNX takes many seconds to load.
@pytest.mark.parametrize("form", ["code", pytest.param("onnx", marks=pytest.mark.slow)])
def test_a_killed_export_leaves_a_whole_file_or_none(programs, unharmed, place, form):
    study = str(unharmed.folder)
    name = "model.py" if form == "code" else "model.onnx"
    words = ("export", study, "--to", form, "-o", name)
    end = programs.run(*words, folder=place)
    assert end.code == 0, end.text
    whole = {path.name: path.read_bytes() for path in place.glob("model.*")}
    killed = 0
    for tried in range(times(20, few=1)):
        for path in place.glob("*model.*"):
            path.unlink()
        harm = {"hooks": [("die_at_write", {"number": 1 + tried % end.writes})]}
        if tried % 2:
            harm = {"signals": [Signal("SIGKILL", 0.02 * tried, "exporting")]}
        killed += programs.run(*words, folder=place, **harm).was_killed
        left = {path.name: path.read_bytes() for path in place.glob("model.*")}
        assert left.items() <= whole.items()
        assert programs.run(*words, folder=place).code == 0
        assert {path.name: path.read_bytes() for path in place.glob("model.*")} == whole
    assert killed
    count(f"SIGKILL, export to {form}", tried=killed, remark="a whole file or none")
