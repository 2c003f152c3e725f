"""A search that is killed at random moments and resumed has the findings of an unharmed search."""

from __future__ import annotations

import random
import shutil
import statistics
from collections import Counter
from collections.abc import Mapping

import pytest

from tests.faults.counts import count, times
from tests.faults.fork_server import PHASES
from tests.faults.programs import Signal, run_again
from tests.faults.studies import Found, check_nothing_is_lost, check_same, found_in

pytestmark = pytest.mark.faults
KILLS_OF_A_STUDY = 8
PHASES_OF_A_SEARCH = PHASES[:-2]
NAMES = {"starting": "starting and asking", "final trainings": "final training runs"}
# The most writes after the entry into a phase that are waited for; a training run writes nothing.
WRITES = {"starting": 12, "telling": 6, "final trainings": 20, "report": 40}


def kill(draw: random.Random, phase: str, *, lengths: Mapping[str, float]) -> dict:
    """Return the options of a program that is killed in a phase, by the clock or at a write."""
    own = None if phase == "starting" else phase
    if phase in WRITES and draw.random() < 0.5:
        harm = {"number": draw.randint(1, WRITES[phase]), "phase": own}
        return {"hooks": [("die_at_write", harm)]}
    return {"signals": [Signal("SIGKILL", draw.uniform(0, lengths[phase]), own)]}


def test_a_killed_search_finds_what_an_unharmed_search_finds(programs, unharmed, place):
    whole, wanted, draw = unharmed.found, times(200, few=5), random.Random(0)
    kills: Counter[str] = Counter()
    seconds, studies = [], 0
    while kills.total() < wanted:
        name, before = f"s{studies}", Found({})
        folder = place / "reports" / name
        studies += 1
        # Those that were hit least, in the order of a search: a trained trial trains no more.
        rare = sorted(PHASES_OF_A_SEARCH, key=lambda phase: (kills[phase], draw.random()))
        aims = (rare * 2)[: min(KILLS_OF_A_STUDY, wanted - kills.total())]
        for phase in sorted(aims, key=PHASES.index):
            end = run_again(programs, folder, **kill(draw, phase, lengths=unharmed.end.lengths))
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
        count(f"SIGKILL, {NAMES.get(phase, phase)}", tried=number, remark="resumed")
    runs = f"{studies} studies; the last resume takes {statistics.median(seconds):.1f} s"
    count("SIGKILL, all phases", tried=kills.total(), remark=runs)
