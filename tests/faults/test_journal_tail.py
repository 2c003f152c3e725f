"""A journal whose end is torn: the trials before it are there, and it goes on."""

from __future__ import annotations

import json
import shutil

import pytest

from autoloss.search.journal import Ledger
from autoloss.search.naming import JOURNAL
from tests.faults.counts import count, times
from tests.faults.studies import ENDED

pytestmark = pytest.mark.faults
SET_STATE, CREATED = 6, 4
TAIL = 12


def ended_by_hand(lines: list[bytes]) -> list[int]:
    """Return the numbers of the trials that ended with a result, read without Optuna."""
    states: dict[int, int] = {}
    for line in lines:
        entry = json.loads(line)
        if entry["op_code"] == CREATED:
            states[len(states)] = entry["state"]
        if entry["op_code"] == SET_STATE:
            states[entry["trial_id"]] = entry["state"]
    wanted = {int(state) for state in ENDED}
    return [number for number, state in states.items() if state in wanted]


def ended(folder) -> list[int]:
    ledger = Ledger.open("s", folder=folder, url=None)
    found = [trial.number for trial in ledger.trials() if trial.state in ENDED]
    ledger.close()
    return found


@pytest.mark.parametrize("rest", [b"", b"\0" * 100], ids=["cut", "zeros"])
def test_a_journal_that_is_cut_anywhere_keeps_what_came_before(unharmed, tmp_path, rest):
    whole = (unharmed.folder / JOURNAL).read_bytes()
    lines = whole.splitlines(keepends=True)
    first = len(whole) - sum(map(len, lines[-TAIL:]))
    cuts = range(first, len(whole), 1 + (len(whole) - first) // times(len(whole), few=60))
    folder = tmp_path / "s"
    shutil.copytree(unharmed.folder, folder)
    for cut in cuts:
        (folder / JOURNAL).write_bytes(whole[:cut] + rest)
        before = [line for line in whole[:cut].splitlines(keepends=True) if line.endswith(b"\n")]
        assert ended(folder) == ended_by_hand(before)
        ledger = Ledger.open("s", folder=folder, url=None)
        ledger.set_attribute("goes on", cut)
        ledger.close()
        lines = (folder / JOURNAL).read_bytes().splitlines(keepends=True)
        assert lines[: len(before)] == before
        assert len(lines) == len(before) + 1
        assert ended(folder) == ended_by_hand(before)
    name = "zeros at the end of a journal" if rest else "a journal truncated at a byte"
    count(name, tried=len(cuts), remark="continues after the last whole line")
