"""How often each fault is tried, and the counts that ``make test-faults`` writes."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from filelock import FileLock

from benchmarks.reliability import write

SCALE, OUT = "FAULTS", "FAULTS_OUT"
COLUMNS = ["fault", "tried", "failures", "behaviour"]
ABOUT = {
    "title": "Faults",
    "command": "make test-faults",
    "text": [
        "Each fault strikes a real search of iris (8 trials in two populations, 2 finalists), "
        "which is then resumed as by a user. Its study must equal the study of an undisturbed "
        "search: the same trials with the same values, none lost and none duplicated, the same "
        "verdict, and the same model, byte for byte."
    ],
}


def times(full: int, *, few: int) -> int:
    """Return how often a fault is tried: `few`, or `full` times the scale of ``make test-faults``.

    Args:
        full: The number of the reference report.
        few: The number of a usual run of the tests.
    """
    scale = os.environ.get(SCALE)
    return max(1, round(full * float(scale))) if scale else few


def count(fault: str, *, tried: int, failed: int = 0, remark: str = "") -> None:
    """Write how often a fault was tried into the report, if ``make test-faults`` asks for it.

    Args:
        fault: The fault, as the report names it.
        tried: How often it was tried.
        failed: How often something was lost, counted twice or changed.
        remark: The program's behaviour in a few words.
    """
    if not (out := os.environ.get(OUT)):
        return
    file = Path(out)
    # Several processes run the tests.
    with FileLock(Path(tempfile.gettempdir()) / f"{file.name}.lock"):
        rows = json.loads(file.read_text("utf-8"))["tables"][0]["rows"] if file.exists() else []
        rows = [row for row in rows if row[0] != fault]
        rows = sorted([*rows, [fault, tried, failed, remark]])
        write(file.stem, {**ABOUT, "tables": [{"columns": COLUMNS, "rows": rows}]}, file.parent)
