"""How often each fault is tried, and the counts that ``make test-faults`` writes."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from filelock import FileLock

SCALE, OUT = "FAULTS", "FAULTS_OUT"


def times(full: int, *, few: int) -> int:
    """Return how often a fault is tried: `few`, or `full` times the scale of ``make test-faults``.

    Args:
        full: The number of the reference report.
        few: The number of a usual run of the tests.
    """
    scale = os.environ.get(SCALE)
    return max(1, round(full * float(scale))) if scale else few


def count(fault: str, **figures: Any) -> None:
    """Write the figures of a fault into the report, if ``make test-faults`` asks for it.

    Args:
        fault: Name of the fault, a key of the report.
        figures: Plain values: how often it was tried, and what was found.
    """
    if not (out := os.environ.get(OUT)):
        return
    file = Path(out)
    file.parent.mkdir(parents=True, exist_ok=True)
    # Several processes run the tests.
    with FileLock(Path(tempfile.gettempdir()) / f"{file.name}.lock"):
        known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        known[fault] = figures
        file.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", encoding="utf-8")
