"""A disk that is full: one clear line, nothing lost, and the study goes on."""

from __future__ import annotations

import errno
import random

import pytest

from autoloss.report.words import count_text
from tests.faults.counts import count, times
from tests.faults.programs import run_again
from tests.faults.studies import check_nothing_is_lost, check_same, found_in

pytestmark = pytest.mark.faults
# A program prints less than that into its file.
LEAST = 6_000


def harms(kind: str, unharmed) -> list:
    """Return the ways in which a disk is full, in an order drawn at random."""
    draw = random.Random(1)
    if kind == "disk":
        numbers = draw.sample(range(2, unharmed.end.writes), times(60, few=2))
        return [("fail_at_write", {"number": n, "error": errno.ENOSPC}) for n in numbers]
    sizes = sorted(path.stat().st_size for path in unharmed.folder.rglob("*") if path.is_file())
    largest = sizes[-1]
    return [
        ("limit_files", {"size": round(LEAST * (largest / LEAST) ** draw.random())})
        for _ in range(times(40, few=1))
    ]


@pytest.mark.parametrize("kind", ["disk", "quota"])
def test_a_full_disk_is_one_line_and_loses_nothing(programs, unharmed, place, kind):
    refused = kept = 0
    tried = harms(kind, unharmed)
    for number, harm in enumerate(tried):
        folder = place / "reports" / f"s{number}"
        end = run_again(programs, folder, hooks=[harm])
        assert "Traceback" not in end.text, end.text
        before = found_in(folder)
        if end.code:
            assert end.code == 2, (harm, end.text)
            (line,) = end.lines
            assert "must be writable" in line
            refused += 1
            kept += bool(before.trials)
            if before.trials:
                assert f"`autoloss resume {folder.name}` continues" in line
        end = run_again(programs, folder)
        assert end.code == 0, (harm, end.text)
        after = found_in(folder)
        check_nothing_is_lost(before, after)
        check_same(after, unharmed.found)
    assert refused
    often = f"{count_text(refused, 'time')}, {kept} of them with finished trials"
    said = f"one line, exit code 2 ({often}); resumed"
    count("a full disk" if kind == "disk" else "an exhausted quota", tried=len(tried), remark=said)
